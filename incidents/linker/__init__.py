"""The linker: which hazards and provider incidents may have to do with an incident, each reason with its number."""

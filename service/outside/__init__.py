"""The world outside: feeds that are asked, alerts that are recovered, notices that are sent."""

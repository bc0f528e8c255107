"""The API under `/api/v1`: a module for each kind of thing, with its routes and the document that describes them."""

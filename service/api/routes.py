"""The routes of the API in one table. The OpenAPI document is made from it."""

from __future__ import annotations

from service.api import routes_of_access, routes_of_incidents, routes_of_record
from service.api.route import Route

ROUTES: tuple[Route, ...] = routes_of_incidents.ROUTES + routes_of_record.ROUTES + routes_of_access.ROUTES

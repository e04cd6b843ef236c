"""The API's documentation for people at `/docs`: Swagger UI where a wheel brings it, else a plain page of our own."""

from fastapi import APIRouter

router = APIRouter(include_in_schema=False)

-- Run once, when the server is created. unde_staging is created by the image (POSTGRES_DB).
CREATE EXTENSION IF NOT EXISTS vector;
CREATE DATABASE unde_main;
CREATE DATABASE dagster;

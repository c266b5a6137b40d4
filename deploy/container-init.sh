#!/bin/sh
# Run once by PostgreSQL's container: the three logins and the database.
set -eu
exec psql -U postgres -v owner_password="$OWNER_PASSWORD" -v web_password="$WEB_PASSWORD" -v users_password="$USERS_PASSWORD" -f /roles.sql

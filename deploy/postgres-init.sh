#!/bin/bash
# Four databases, four roles without rights on each other's. Runs once, when the volume is empty.
set -eu
for service in gating orders offers messaging; do
  password=$(cat "/run/secrets/${service}_password")
  psql -v ON_ERROR_STOP=1 -v name="parley_${service}" -v password="$password" \
    --username "${POSTGRES_USER:-postgres}" --dbname postgres <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
done
psql -v ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" --dbname postgres -c 'REVOKE CONNECT ON DATABASE postgres FROM PUBLIC'

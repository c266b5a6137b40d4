-- The three logins of vo-server in PostgreSQL 14 or later, and its database. An administrator runs it once:
--
--     psql -v owner_password=… -v web_password=… -v users_password=… -f roles.sql
--
-- then the operator runs `vo db init`, which makes schemas, tables, the two roles behind the logins, and all grants. May be repeated.
\set ON_ERROR_STOP on

-- owns the tables and publishes: vo publish, vo db init, vo db migrate
SELECT 'CREATE ROLE vo_owner LOGIN CREATEROLE' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'vo_owner') \gexec
-- the server and its workers: the catalogue, jobs and records
SELECT 'CREATE ROLE vo_web LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'vo_web') \gexec
-- users' queries: reads what is published, and nothing else
SELECT 'CREATE ROLE vo_users LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'vo_users') \gexec

ALTER ROLE vo_owner PASSWORD :'owner_password';
ALTER ROLE vo_web PASSWORD :'web_password';
ALTER ROLE vo_users PASSWORD :'users_password';

-- what a query may take of the machine, whatever it is: PostgreSQL itself sees to it
ALTER ROLE vo_users SET temp_file_limit = '20GB';
ALTER ROLE vo_users SET idle_in_transaction_session_timeout = '10min';

SELECT 'CREATE DATABASE vo OWNER vo_owner ENCODING ''UTF8'' TEMPLATE template0'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'vo') \gexec

REVOKE CONNECT ON DATABASE vo FROM PUBLIC;
GRANT CONNECT ON DATABASE vo TO vo_web, vo_users;
GRANT TEMPORARY ON DATABASE vo TO vo_users;  -- tables that come with a query

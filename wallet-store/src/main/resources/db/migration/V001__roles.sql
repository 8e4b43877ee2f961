-- Three roles, so that who may do what does not hang on who connects:
--   bursar_owner  owns every table; nobody can log in as it
--   bursar_app    what the API process may do; granted to the login role of that process
-- Roles belong to the whole server, so another database of it may have made them already.
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bursar_owner') THEN
    CREATE ROLE bursar_owner NOLOGIN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bursar_app') THEN
    CREATE ROLE bursar_app NOLOGIN;
  END IF;
  EXECUTE format('GRANT bursar_owner, bursar_app TO %I', current_user);
  EXECUTE format('GRANT CREATE ON DATABASE %I TO bursar_owner', current_database());
  EXECUTE format('REVOKE CREATE, TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
END $$;
GRANT USAGE, CREATE ON SCHEMA public TO bursar_owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO bursar_app;

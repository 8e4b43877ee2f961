-- How far the signer's journal had come, kept where the signer cannot reach: a journal that does not hold the last mark any more
-- was lost or put back to an older copy. Rows are only added.
SET LOCAL ROLE bursar_owner;

CREATE TABLE signer_mark (
  at       timestamptz PRIMARY KEY,
  length   bigint NOT NULL CHECK (length >= 0),
  checksum bytea NOT NULL CHECK (octet_length(checksum) = 16)
);
GRANT SELECT, INSERT ON signer_mark TO bursar_app;

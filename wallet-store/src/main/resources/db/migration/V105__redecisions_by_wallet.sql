-- A decision made again says whose wallet it was about, so that the pages of one agent or wallet pass only its own.
SET LOCAL ROLE bursar_owner;

ALTER TABLE redecision ADD wallet_id uuid;
UPDATE redecision r SET wallet_id = s.wallet_id FROM spend s WHERE s.tenant_id = r.tenant_id AND s.spend_id = r.spend_id;
ALTER TABLE redecision ALTER wallet_id SET NOT NULL;
CREATE INDEX redecision_by_wallet ON redecision (tenant_id, wallet_id, authorization_id);

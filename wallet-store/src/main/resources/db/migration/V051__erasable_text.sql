-- Erasing a spend's text takes its row, salt and all: what is left of it is a commitment that says nothing.
SET LOCAL ROLE bursar_owner;

GRANT DELETE ON spend_text TO bursar_app;

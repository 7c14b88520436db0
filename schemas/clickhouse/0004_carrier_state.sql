-- What the carrier's system has said of a card, beside what is desired of it (`state`), and usage that should not have been.

ALTER TABLE card_month
    ADD COLUMN IF NOT EXISTS confirmed LowCardinality(String) DEFAULT '' COMMENT 'how the carrier has set the card: active, suspended, cancelled; empty: it has not said' AFTER version;

ALTER TABLE card_month
    ADD COLUMN IF NOT EXISTS used_while_stopped Bool DEFAULT false COMMENT 'used in this cycle though suspended or cancelled' CODEC(ZSTD(1)) AFTER confirmed;

CREATE OR REPLACE VIEW card_month_now AS
SELECT * FROM card_month FINAL
SETTINGS optimize_move_to_prewhere_if_final = 1;

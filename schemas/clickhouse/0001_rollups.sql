-- Absolute values of a card's cycles and days. A row is the whole truth of its key; the greatest version wins, so that a
-- row sent twice or late changes nothing. Read through the views.
--
-- T64 + ZSTD(1) on numbers: 25 bytes a card-month, 13 a card-day on 10 million cards (LZ4: 43). The small granules serve
-- reads of one card; old partitions are merged to one part, so that FINAL has nothing to do there.

CREATE TABLE IF NOT EXISTS card_month
(
    card           FixedString(19) COMMENT 'first 19 characters of the ICCID' CODEC(ZSTD(1)),
    cycle          Date COMMENT 'first day of the cycle, in the carrier''s zone' CODEC(T64, ZSTD(1)),
    cycle_last     Date COMMENT 'its last day' CODEC(T64, ZSTD(1)),
    carrier        LowCardinality(String),
    plan           LowCardinality(String),
    channel        LowCardinality(String) COMMENT 'who sold the card',
    state          LowCardinality(String) COMMENT 'registered, active, suspended, cancelled',
    settling_up    UInt64 COMMENT 'bytes by the settling feed, complete days or not' CODEC(T64, ZSTD(1)),
    settling_down  UInt64 CODEC(T64, ZSTD(1)),
    estimate_up    UInt64 COMMENT 'bytes by the estimating feed other than the modem' CODEC(T64, ZSTD(1)),
    estimate_down  UInt64 CODEC(T64, ZSTD(1)),
    modem_up       UInt64 COMMENT 'bytes by the modem''s readings' CODEC(T64, ZSTD(1)),
    modem_down     UInt64 CODEC(T64, ZSTD(1)),
    used           UInt64 COMMENT 'bytes: sum of the used of its days' CODEC(T64, ZSTD(1)),
    settled        UInt64 COMMENT 'of it, complete days' CODEC(T64, ZSTD(1)),
    provisional    UInt64 COMMENT 'the rest' CODEC(T64, ZSTD(1)),
    quota          Nullable(UInt64) COMMENT 'bytes of the packages in force; NULL is unlimited' CODEC(T64, ZSTD(1)),
    burnt          UInt64 CODEC(T64, ZSTD(1)),
    remaining      UInt64 CODEC(T64, ZSTD(1)),
    overage        UInt64 CODEC(T64, ZSTD(1)),
    unsettled_days UInt16 COMMENT 'days that closed undeclared' CODEC(T64, ZSTD(1)),
    closed         Bool CODEC(ZSTD(1)),
    revision       UInt32 COMMENT 'one more for every restatement after the close' CODEC(T64, ZSTD(1)),
    as_of          DateTime('UTC') COMMENT 'log time of the row' CODEC(T64, ZSTD(1)),
    version        UInt64 COMMENT 'generation << 40 | log offset' CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(cycle)
ORDER BY (card, cycle)
SETTINGS index_granularity = 1024, min_age_to_force_merge_seconds = 7200, min_age_to_force_merge_on_partition_only = 1;

CREATE TABLE IF NOT EXISTS card_day
(
    card           FixedString(19) COMMENT 'first 19 characters of the ICCID' CODEC(ZSTD(1)),
    day            Date COMMENT 'calendar day in the carrier''s zone' CODEC(T64, ZSTD(1)),
    cycle          Date COMMENT 'first day of the cycle that holds it' CODEC(T64, ZSTD(1)),
    carrier        LowCardinality(String),
    settling_up    UInt64 COMMENT 'bytes by the settling feed' CODEC(T64, ZSTD(1)),
    settling_down  UInt64 CODEC(T64, ZSTD(1)),
    estimate_up    UInt64 COMMENT 'bytes by the estimating feed other than the modem' CODEC(T64, ZSTD(1)),
    estimate_down  UInt64 CODEC(T64, ZSTD(1)),
    modem_up       UInt64 COMMENT 'bytes by the modem''s readings' CODEC(T64, ZSTD(1)),
    modem_down     UInt64 CODEC(T64, ZSTD(1)),
    used           UInt64 COMMENT 'bytes that count' CODEC(T64, ZSTD(1)),
    complete       Bool COMMENT 'the settling feed has declared it whole' CODEC(ZSTD(1)),
    unsettled      Bool COMMENT 'it closed without' CODEC(ZSTD(1)),
    closed         Bool CODEC(ZSTD(1)),
    as_of          DateTime('UTC') COMMENT 'log time of the row' CODEC(T64, ZSTD(1)),
    version        UInt64 COMMENT 'generation << 40 | log offset' CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(version)
PARTITION BY toYYYYMM(day)
ORDER BY (card, day)
SETTINGS index_granularity = 1024, min_age_to_force_merge_seconds = 7200, min_age_to_force_merge_on_partition_only = 1;

-- FINAL is hidden here. Never put an explicit PREWHERE on a value column before it: that filters before the newest row
-- of a key is chosen.
CREATE OR REPLACE VIEW card_month_now AS
SELECT * FROM card_month FINAL
SETTINGS optimize_move_to_prewhere_if_final = 1;

CREATE OR REPLACE VIEW card_day_now AS
SELECT * FROM card_day FINAL
SETTINGS optimize_move_to_prewhere_if_final = 1;

-- What happened to a card: a row an event id, whatever is read twice. Of two rows of one key the one that stands later in
-- its topic wins.
--
-- An alert's time is part of what it is, so that it may stand in the key. The answer to a command or an order that no line
-- remembers any more is given again under the same id at another time: there the key is the id alone, and FINAL merges
-- across partitions.

CREATE TABLE IF NOT EXISTS alerts
(
    card            FixedString(19) CODEC(ZSTD(1)),
    at              DateTime('UTC') COMMENT 'effective time' CODEC(T64, ZSTD(1)),
    id              String COMMENT 'the event''s id, the same after any crash' CODEC(ZSTD(1)),
    type            LowCardinality(String) COMMENT 'alert.fired, alert.resolved',
    iccid           String COMMENT 'full form, for display' CODEC(ZSTD(1)),
    rule            LowCardinality(String),
    arming          UInt32 CODEC(T64, ZSTD(1)),
    cycle           Date CODEC(T64, ZSTD(1)),
    used            UInt64 COMMENT 'bytes, here and below' CODEC(T64, ZSTD(1)),
    settled         UInt64 CODEC(T64, ZSTD(1)),
    provisional     UInt64 CODEC(T64, ZSTD(1)),
    quota           Nullable(UInt64) CODEC(T64, ZSTD(1)),
    burnt           UInt64 CODEC(T64, ZSTD(1)),
    remaining       UInt64 CODEC(T64, ZSTD(1)),
    overage         UInt64 CODEC(T64, ZSTD(1)),
    settling        Bool COMMENT 'the carrier settles these days' CODEC(ZSTD(1)),
    data            String COMMENT 'the event''s whole data, JSON' CODEC(ZSTD(3)),
    topic_partition UInt32 CODEC(T64, ZSTD(1)),
    topic_offset    UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(topic_offset)
PARTITION BY toYYYYMM(at)
ORDER BY (card, at, id)
SETTINGS index_granularity = 1024;

CREATE TABLE IF NOT EXISTS activations
(
    card            FixedString(19) CODEC(ZSTD(1)),
    at              DateTime('UTC') COMMENT 'effective time' CODEC(T64, ZSTD(1)),
    id              String CODEC(ZSTD(1)),
    type            LowCardinality(String) COMMENT 'package.queued, package.activated, ..., recharge.refused',
    iccid           String CODEC(ZSTD(1)),
    order_id        String CODEC(ZSTD(1)),
    provider        LowCardinality(String) COMMENT 'of the payment',
    reference       String COMMENT 'of the payment, by the vendor''s own books' CODEC(ZSTD(1)),
    paid_at         Nullable(DateTime('UTC')) CODEC(T64, ZSTD(1)),
    kind            LowCardinality(String) COMMENT 'base, booster',
    mode            LowCardinality(String) COMMENT 'immediate, renewal, next_cycle',
    quota           Nullable(UInt64) COMMENT 'bytes; NULL is unlimited' CODEC(T64, ZSTD(1)),
    burnt           UInt64 CODEC(T64, ZSTD(1)),
    effective_at    Nullable(DateTime('UTC')) CODEC(T64, ZSTD(1)),
    expires_at      Nullable(DateTime('UTC')) CODEC(T64, ZSTD(1)),
    reason          String COMMENT 'why it was refused' CODEC(ZSTD(1)),
    data            String COMMENT 'the event''s whole data, JSON' CODEC(ZSTD(3)),
    topic_partition UInt32 CODEC(T64, ZSTD(1)),
    topic_offset    UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(topic_offset)
PARTITION BY toYYYYMM(at)
ORDER BY (card, id)
SETTINGS index_granularity = 1024;

CREATE TABLE IF NOT EXISTS lifecycle
(
    card            FixedString(19) CODEC(ZSTD(1)),
    at              DateTime('UTC') COMMENT 'effective time' CODEC(T64, ZSTD(1)),
    id              String CODEC(ZSTD(1)),
    type            LowCardinality(String) COMMENT 'card.*, cycle.*, command.applied, command.refused',
    iccid           String CODEC(ZSTD(1)),
    command         String COMMENT 'id of the command that is answered' CODEC(ZSTD(1)),
    cause           LowCardinality(String) COMMENT 'why the state changed',
    reason          String COMMENT 'why it was refused' CODEC(ZSTD(1)),
    cycle           Nullable(Date) COMMENT 'the cycle that closed, first day' CODEC(T64, ZSTD(1)),
    used            UInt64 COMMENT 'of that cycle, bytes, here and below' CODEC(T64, ZSTD(1)),
    settled         UInt64 CODEC(T64, ZSTD(1)),
    estimate        UInt64 CODEC(T64, ZSTD(1)),
    overage         UInt64 CODEC(T64, ZSTD(1)),
    unsettled_days  UInt16 CODEC(T64, ZSTD(1)),
    revision        UInt32 CODEC(T64, ZSTD(1)),
    data            String COMMENT 'the event''s whole data, JSON' CODEC(ZSTD(3)),
    topic_partition UInt32 CODEC(T64, ZSTD(1)),
    topic_offset    UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(topic_offset)
PARTITION BY toYYYYMM(at)
ORDER BY (card, id)
SETTINGS index_granularity = 1024;

-- Records that were not counted. A repeat has the same id (of feed, id, start and content, or of the source's place) and
-- comes another day: no partitions, so that it takes the place of the first.
CREATE TABLE IF NOT EXISTS quarantine
(
    card             FixedString(19) COMMENT 'NULs where it is not known' CODEC(ZSTD(1)),
    id               String COMMENT 'quarantine id: what record.post refers to' CODEC(ZSTD(1)),
    seen             DateTime64(3, 'UTC') COMMENT 'when it was last written to its topic' CODEC(T64, ZSTD(1)),
    outcome          LowCardinality(String) COMMENT 'conflict, late, flood, unknown, rejected, unreadable',
    reason           String CODEC(ZSTD(1)),
    source           LowCardinality(String) COMMENT 'outside topic, or file:NAME',
    source_partition UInt32 CODEC(T64, ZSTD(1)),
    source_offset    UInt64 COMMENT 'offset in the topic, or byte in the file' CODEC(T64, ZSTD(1)),
    log_position     String COMMENT 'partition/offset/index in tidegauge.log; empty if it never got there' CODEC(ZSTD(1)),
    record           String COMMENT 'as it came' CODEC(ZSTD(3)),
    topic            LowCardinality(String) COMMENT 'usage.quarantine, usage.dead-letter, or the one not readable',
    topic_partition  UInt32 CODEC(T64, ZSTD(1)),
    topic_offset     UInt64 CODEC(T64, ZSTD(1))
)
ENGINE = ReplacingMergeTree(topic_offset)
ORDER BY (card, id)
TTL toDateTime(seen) + INTERVAL 400 DAY
SETTINGS index_granularity = 1024;

CREATE OR REPLACE VIEW alerts_now AS
SELECT * FROM alerts FINAL
SETTINGS optimize_move_to_prewhere_if_final = 1;

CREATE OR REPLACE VIEW activations_now AS
SELECT * FROM activations FINAL
SETTINGS optimize_move_to_prewhere_if_final = 1;

CREATE OR REPLACE VIEW lifecycle_now AS
SELECT * FROM lifecycle FINAL
SETTINGS optimize_move_to_prewhere_if_final = 1;

CREATE OR REPLACE VIEW quarantine_now AS
SELECT * FROM quarantine FINAL
SETTINGS optimize_move_to_prewhere_if_final = 1;

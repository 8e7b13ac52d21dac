-- Items, what is held of them, and for whom. The checks are the last guard of what the rules promise: stock is never
-- below zero, and nothing is reserved that is not there.
CREATE TABLE item (
    sku         TEXT   PRIMARY KEY NOT NULL,
    name        TEXT   NOT NULL,
    price_minor BIGINT NOT NULL CHECK (price_minor >= 0),
    currency    TEXT   NOT NULL,
    on_hand     BIGINT NOT NULL DEFAULT 0 CHECK (on_hand >= 0),
    reserved    BIGINT NOT NULL DEFAULT 0 CHECK (reserved >= 0),
    version     BIGINT NOT NULL,
    updated_us  BIGINT NOT NULL,
    CHECK (reserved <= on_hand)
);

-- Every change of on_hand and who caused it: the movements of an item add up to what is on hand.
CREATE TABLE stock_movement (
    id     TEXT   PRIMARY KEY NOT NULL,
    sku    TEXT   NOT NULL,
    delta  BIGINT NOT NULL CHECK (delta <> 0),
    reason TEXT   NOT NULL,
    cause  TEXT   NOT NULL,
    at_us  BIGINT NOT NULL
);

-- One row an order that was ever heard of. "released" is also the tombstone of an order that was refused, or that was
-- cancelled before it was heard to be placed: it holds nothing, and never will.
CREATE TABLE reservation (
    order_id   TEXT   PRIMARY KEY NOT NULL,
    state      TEXT   NOT NULL CHECK (state IN ('reserved', 'sold', 'released')),
    updated_us BIGINT NOT NULL
);

CREATE TABLE reservation_line (
    order_id TEXT    NOT NULL,
    line     INTEGER NOT NULL,
    sku      TEXT    NOT NULL,
    quantity BIGINT  NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (order_id, line)
);

-- What inventory says of its items: a projection, which the newest version of each wins.
CREATE TABLE item (
    sku         TEXT   PRIMARY KEY NOT NULL,
    name        TEXT   NOT NULL,
    price_minor BIGINT NOT NULL CHECK (price_minor >= 0),
    currency    TEXT   NOT NULL,
    version     BIGINT NOT NULL
);

-- Ids rise with time, so that new rows go to the end of the primary key and lists need no further column to sort by.
CREATE TABLE orders (
    id             TEXT   PRIMARY KEY NOT NULL,
    user_id        TEXT   NOT NULL,
    status         TEXT   NOT NULL
                   CHECK (status IN ('placed', 'reserved', 'paid', 'shipped', 'rejected', 'cancelled')),
    total_minor    BIGINT NOT NULL CHECK (total_minor >= 0),
    currency       TEXT   NOT NULL,
    payment_method TEXT,
    version        BIGINT NOT NULL,
    created_us     BIGINT NOT NULL,
    updated_us     BIGINT NOT NULL
);

-- A user's orders, by status too: the status is filtered in the index, without a visit to the rows.
CREATE INDEX orders_user ON orders (user_id, id, status);
CREATE INDEX orders_status ON orders (status, id);

CREATE TABLE order_line (
    order_id         TEXT    NOT NULL,
    line             INTEGER NOT NULL,
    sku              TEXT    NOT NULL,
    name             TEXT    NOT NULL,
    quantity         BIGINT  NOT NULL CHECK (quantity > 0),
    unit_price_minor BIGINT  NOT NULL,
    PRIMARY KEY (order_id, line)
);

-- version is the order's after the transition.
CREATE TABLE order_history (
    order_id    TEXT   NOT NULL,
    version     BIGINT NOT NULL,
    from_status TEXT,
    to_status   TEXT   NOT NULL,
    cause       TEXT   NOT NULL,
    at_us       BIGINT NOT NULL,
    PRIMARY KEY (order_id, version)
);

-- due_us says when to ask the gateway (again); NULL: there is nothing to ask. attempts counts from when it became due.
CREATE TABLE payment (
    order_id   TEXT    PRIMARY KEY NOT NULL,
    state      TEXT    NOT NULL CHECK (state IN ('due', 'approved', 'declined', 'voided',
                                                 'refund_due', 'refunded', 'refund_refused')),
    attempts   INTEGER NOT NULL DEFAULT 0,
    due_us     BIGINT,
    updated_us BIGINT  NOT NULL
);
CREATE INDEX payment_due ON payment (due_us) WHERE due_us IS NOT NULL;

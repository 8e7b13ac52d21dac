-- What the orders add up to, kept along with them, so that nobody has to count them: how many came to each state
-- ("entered"), and what was paid, in minor units of each currency ("revenue").
CREATE TABLE tally (
    name  TEXT   NOT NULL,
    label TEXT   NOT NULL,
    value BIGINT NOT NULL,
    PRIMARY KEY (name, label)
);

INSERT INTO tally (name, label, value)
    SELECT 'entered', to_status, count(*) FROM order_history
    WHERE from_status IS NULL OR from_status <> to_status GROUP BY to_status;
INSERT INTO tally (name, label, value)
    SELECT 'revenue', orders.currency, sum(orders.total_minor) FROM orders
    JOIN order_history ON order_history.order_id = orders.id AND order_history.to_status = 'paid'
    GROUP BY orders.currency;

#include "config.h"

#include "check/torture/auditor_checks.h"

const char claims_prepare[] =
    "CREATE TEMP TABLE way (from_status TEXT, to_status TEXT);"
    "INSERT INTO way VALUES (NULL, 'placed'), ('placed', 'reserved'), ('placed', 'rejected'), ('placed', 'cancelled'),"
    " ('reserved', 'cancelled'), ('reserved', 'paid'), ('paid', 'shipped'), ('cancelled', 'cancelled'),"
    /* what is said again, as nobody has heard it, or inventory asks */
    " ('placed', 'placed'), ('reserved', 'reserved'), ('paid', 'paid'), ('shipped', 'shipped');"
    /* who has to have read which events */
    "CREATE TEMP TABLE reader (consumer_group TEXT, type TEXT);"
    "INSERT INTO reader VALUES ('order', 'item.changed.v1'), ('order', 'stock.reserved.v1'),"
    " ('order', 'stock.rejected.v1'), ('order', 'stock.expiring.v1'), ('inventory', 'order.placed.v1'),"
    " ('inventory', 'order.paid.v1'), ('inventory', 'order.cancelled.v1');"
    /* which step of an order everybody has to be told of */
    "CREATE TEMP TABLE telling (from_status TEXT, to_status TEXT, cause TEXT, type TEXT);"
    "INSERT INTO telling VALUES (NULL, 'placed', NULL, 'order.placed.v1'),"
    " ('placed', 'rejected', NULL, 'order.rejected.v1'), ('placed', 'cancelled', NULL, 'order.cancelled.v1'),"
    " ('reserved', 'cancelled', NULL, 'order.cancelled.v1'), ('reserved', 'paid', NULL, 'order.paid.v1'),"
    " ('placed', 'placed', 'stuck', 'order.placed.v1'), ('paid', 'paid', 'reservation expired', 'order.paid.v1'),"
    " ('shipped', 'shipped', 'reservation expired', 'order.paid.v1'),"
    " ('cancelled', 'cancelled', 'reservation expired', 'order.cancelled.v1');"
    "CREATE TEMP VIEW told AS SELECT h.order_id, t.type, count(*) AS steps FROM o.order_history h JOIN telling t"
    " ON t.from_status IS h.from_status AND t.to_status = h.to_status AND coalesce(t.cause, h.cause) = h.cause"
    " GROUP BY h.order_id, t.type;"
    "CREATE TEMP VIEW taken AS"
    " SELECT consumer_group, event_id FROM o.inbox UNION ALL SELECT consumer_group, event_id FROM i.inbox;"
    "CREATE TEMP VIEW set_aside AS"
    " SELECT 'order' AS place, event_id, type, 'waits for another try' AS how FROM o.event_parked"
    " UNION ALL SELECT 'inventory', event_id, type, 'waits for another try' FROM i.event_parked"
    " UNION ALL SELECT 'order', event_id, type, 'is a dead letter' FROM o.dead_letter"
    " UNION ALL SELECT 'inventory', event_id, type, 'is a dead letter' FROM i.dead_letter;"
    "CREATE TEMP VIEW unsent AS"
    " SELECT 'user' AS place, id, type, subject FROM u.outbox UNION ALL SELECT 'order', id, type, subject FROM o.outbox"
    " UNION ALL SELECT 'inventory', id, type, subject FROM i.outbox;";

const char claims_ledger_of_states[] =
    "CREATE TEMP VIEW charged AS SELECT key, amount_minor, currency FROM l.charge"
    " WHERE state IN ('approved', 'refunded');"
    "CREATE TEMP VIEW refunded AS SELECT key, amount_minor, currency FROM l.charge WHERE state = 'refunded';";

const char claims_ledger_of_refunds[] =
    "CREATE TEMP VIEW charged AS SELECT key, amount_minor, currency FROM l.charge;"
    "CREATE TEMP VIEW refunded AS SELECT key, amount_minor, currency FROM l.refund;";

const char claims_figures[] =
    "SELECT (SELECT count(*) FROM o.orders) AS orders,"
    " (SELECT count(*) FROM o.orders WHERE status IN ('paid', 'shipped')) AS paid,"
    " (SELECT count(*) FROM o.orders WHERE status = 'cancelled') AS cancelled,"
    " (SELECT count(*) FROM o.orders WHERE status = 'rejected') AS rejected,"
    " (SELECT count(*) FROM charged) AS charges,"
    " (SELECT count(*) FROM refunded) AS refunds,"
    " (SELECT count(DISTINCT order_id) FROM o.order_history WHERE cause = 'reservation expired') AS expired,"
    " (SELECT count(*) FROM o.order_history h JOIN o.payment p ON p.order_id = h.order_id AND p.state = 'refunded'"
    " WHERE h.cause = 'reservation expired' AND h.from_status = 'reserved') AS expired_refunds,"
    " (SELECT count(*) FROM o.order_history WHERE cause = 'stuck') AS nudges,"
    " (SELECT count(*) FROM b.log) AS events,"
    " (SELECT count(*) FROM answer) AS requests,"
    " (SELECT count(*) FROM answer WHERE attempt > 1) AS repeats,"
    " (SELECT count(*) FROM answer WHERE status = 0 OR status >= 500) AS unanswered";

const struct claim claims[] = {
    /* ---- what comes to hold by itself ---- */
    {"every order is final",
     "SELECT 'order ' || id || ' is ' || status FROM o.orders WHERE status IN ('placed', 'reserved')", true},
    {"every payment is settled",
     "SELECT 'the payment of order ' || order_id || ' is ' || state FROM o.payment"
     " WHERE due_us IS NOT NULL OR state IN ('due', 'refund_due')", true},
    {"no event waits to be sent",
     "SELECT type || ' ' || id || ' of ' || subject || ' is in the outbox of ' || place FROM unsent", true},
    {"every group has read the bus to its end",
     "SELECT r.consumer_group || ' has not read ' || e.type || ' at ' || e.position FROM reader r"
     " JOIN b.log e ON e.type = r.type AND e.position > coalesce((SELECT position FROM b.consumer_group g"
     " WHERE g.name = r.consumer_group), 0)", true},
    {"no event is set aside",
     "SELECT type || ' ' || event_id || ' ' || how || ' at ' || place FROM set_aside", true},

    /* ---- orders ---- */
    {"every acknowledged order is there",
     "SELECT DISTINCT 'order ' || a.id || ' was acknowledged to ' || a.key || ' and is not there' FROM answer a"
     " LEFT JOIN o.orders d ON d.id = a.id WHERE a.op = 'order' AND a.status = 201 AND a.sure AND d.id IS NULL", false},
    {"an acknowledged order has what was acknowledged",
     "SELECT 'order ' || d.id || ' was ' || a.user || ' ' || a.lines || ' ' || a.total || ' ' || a.currency || ' '"
     " || a.method || ' and is ' || d.user_id || ' ' || coalesce(d.lines, 'nothing') || ' ' || d.total_minor || ' '"
     " || d.currency || ' ' || coalesce(d.payment_method, '') FROM (SELECT DISTINCT id, user, lines, total, currency,"
     " method FROM answer WHERE op = 'order' AND status = 201) a JOIN (SELECT *, (SELECT group_concat(part, ' ') FROM"
     " (SELECT sku || '*' || quantity AS part FROM o.order_line WHERE order_id = o.orders.id ORDER BY line)) AS lines"
     " FROM o.orders) d ON d.id = a.id WHERE d.user_id <> a.user OR d.lines IS NOT a.lines OR d.total_minor <> a.total"
     " OR d.currency <> a.currency OR coalesce(d.payment_method, '') <> a.method", false},
    {"a line's price is what the total says",
     "SELECT 'order ' || d.id || ' costs ' || d.total_minor || ', its lines ' || sum(l.quantity * l.unit_price_minor)"
     " FROM o.orders d JOIN o.order_line l ON l.order_id = d.id GROUP BY d.id"
     " HAVING sum(l.quantity * l.unit_price_minor) <> d.total_minor", false},
    {"a key has one answer, however often it is used",
     "SELECT 'key ' || key || ' was answered in ' || count(DISTINCT digest || ' ' || status) || ' ways' FROM answer"
     " WHERE op IN ('order', 'stock') AND status BETWEEN 200 AND 299 GROUP BY op, key"
     " HAVING count(DISTINCT digest || ' ' || status) > 1", false},
    /* Of a key that was never answered there may be an order, or not. */
    {"no order is there that nobody placed",
     "SELECT 'order ' || d.id || ' was acknowledged to nobody' FROM o.orders d"
     " WHERE d.id NOT IN (SELECT id FROM answer WHERE op = 'order' AND status = 201)"
     " AND (SELECT count(*) FROM o.orders) > (SELECT count(DISTINCT id) FROM answer WHERE op = 'order'"
     " AND status = 201) + (SELECT count(*) FROM open_key WHERE op = 'order')", false},
    {"an acknowledged cancellation holds",
     "SELECT DISTINCT 'order ' || d.id || ' was cancelled and is ' || d.status FROM answer a JOIN o.orders d"
     " ON d.id = a.id WHERE a.op = 'cancel' AND a.status = 200 AND a.sure AND d.status <> 'cancelled'", false},

    /* ---- their history ---- */
    {"no transition happened twice",
     "SELECT 'order ' || order_id || ' went ' || count(*) || ' times from ' || coalesce(from_status, 'nothing')"
     " || ' to ' || to_status FROM o.order_history WHERE from_status IS NOT to_status OR cause = 'payment approved'"
     " GROUP BY order_id, from_status, to_status HAVING count(*) > 1", false},
    {"every transition is a way that orders may go",
     "SELECT 'order ' || order_id || ' went from ' || coalesce(from_status, 'nothing') || ' to ' || to_status"
     " FROM o.order_history h WHERE NOT EXISTS (SELECT 1 FROM way w WHERE w.from_status IS h.from_status"
     " AND w.to_status = h.to_status)", false},
    {"a history is whole, and ends where its order is",
     "SELECT 'order ' || d.id || ' is ' || d.status || ', version ' || d.version || '; its history has '"
     " || count(h.version) || ' steps' FROM o.orders d LEFT JOIN o.order_history h ON h.order_id = d.id GROUP BY d.id"
     " HAVING count(h.version) <> d.version OR max(h.version) <> d.version OR min(h.version) <> 1"
     " OR d.status <> (SELECT to_status FROM o.order_history WHERE order_id = d.id ORDER BY version DESC LIMIT 1)"
     " UNION ALL SELECT 'order ' || h.order_id || ' leaves ' || h.from_status || ' where it was ' || p.to_status"
     " FROM o.order_history h JOIN o.order_history p ON p.order_id = h.order_id AND p.version = h.version - 1"
     " WHERE h.from_status IS NOT p.to_status", false},

    /* ---- events ---- */
    {"every event was taken by all who have to know",
     "SELECT e.type || ' ' || e.id || ' of ' || e.subject || ' was never taken by ' || r.consumer_group FROM event e"
     " JOIN reader r ON r.type = e.type WHERE NOT EXISTS (SELECT 1 FROM taken t WHERE t.event_id = e.id"
     " AND t.consumer_group = r.consumer_group)", false},
    {"every step of an order was told, once",
     "SELECT 'order ' || d.order_id || ' has ' || d.steps || ' steps to tell by ' || d.type || ', told by '"
     " || count(DISTINCT e.id) || ' events' FROM told d LEFT JOIN event e ON e.subject = d.order_id AND e.type = d.type"
     " GROUP BY d.order_id, d.type HAVING count(DISTINCT e.id) <> d.steps", false},
    {"nothing is told that did not happen",
     "SELECT e.type || ' ' || e.id || ' is of order ' || e.subject || ', which did not' FROM event e JOIN telling t"
     " ON t.type = e.type WHERE NOT EXISTS (SELECT 1 FROM o.order_history h JOIN telling s ON s.from_status IS"
     " h.from_status AND s.to_status = h.to_status WHERE h.order_id = e.subject AND s.type = e.type)", false},
    /* It is said again when the order is told again to be placed. */
    {"stock was reserved once for an order, or rejected once",
     "SELECT 'order ' || subject || ' has ' || count(DISTINCT id) || ' events of its stock' FROM event"
     " WHERE type IN ('stock.reserved.v1', 'stock.rejected.v1') GROUP BY subject HAVING count(DISTINCT type) > 1 OR"
     " count(DISTINCT id) > 1 + (SELECT count(*) FROM o.order_history WHERE order_id = event.subject AND from_status ="
     " 'placed' AND to_status = 'placed')", false},
    {"only what is held for too long expires",
     "SELECT 'order ' || h.order_id || ' became ' || h.to_status || ' as its reservation expired, which inventory never"
     " said' FROM o.order_history h WHERE h.cause = 'reservation expired' AND NOT EXISTS (SELECT 1 FROM event e WHERE"
     " e.subject = h.order_id AND e.type = 'stock.expiring.v1')", false},

    /* ---- stock ---- */
    {"an acknowledged change of stock was made once",
     "SELECT 'the change ' || a.key || ' of ' || a.delta || ' to ' || a.sku || ' was made ' || count(m.id) || ' times'"
     " FROM (SELECT key, sku, delta, max(sure) AS sure FROM answer WHERE op = 'stock' AND status = 200 GROUP BY key,"
     " sku, delta) a LEFT JOIN movement m ON m.reason = a.key AND m.sku = a.sku AND m.delta = a.delta GROUP BY a.key"
     " HAVING count(m.id) > 1 OR (count(m.id) = 0 AND a.sure)", false},
    {"no change of stock was made that nobody asked for",
     "SELECT 'of ' || sku || ' ' || delta || ' were moved by ' || cause || ': ' || reason FROM i.stock_movement"
     " WHERE reason <> 'sold' AND reason NOT IN (SELECT key FROM answer WHERE op = 'stock' AND status = 200)"
     " AND reason NOT IN (SELECT key FROM open_key WHERE op = 'stock')", false},
    {"what is on hand is what was put in, less what was sold",
     "SELECT n.sku || ' has ' || n.on_hand || ' on hand; put in were ' || n.put_in || ', sold ' || n.sold FROM"
     " (SELECT t.sku, t.on_hand, (SELECT coalesce(sum(delta), 0) FROM i.stock_movement WHERE sku = t.sku AND reason <>"
     " 'sold') AS put_in, (SELECT coalesce(sum(l.quantity), 0) FROM o.order_line l JOIN o.orders d ON d.id = l.order_id"
     " WHERE l.sku = t.sku AND d.status IN ('paid', 'shipped')) AS sold FROM i.item t) n"
     " WHERE n.on_hand <> n.put_in - n.sold", false},
    {"what was moved adds up to what is on hand",
     "SELECT t.sku || ' has ' || t.on_hand || ' on hand; its movements are ' || coalesce(sum(m.delta), 0) FROM i.item t"
     " LEFT JOIN i.stock_movement m ON m.sku = t.sku GROUP BY t.sku"
     " HAVING coalesce(sum(m.delta), 0) <> t.on_hand", false},
    {"what is reserved is what reservations hold",
     "SELECT t.sku || ' has ' || t.reserved || ' reserved; reservations hold ' || coalesce(sum(r.quantity), 0)"
     " FROM i.item t LEFT JOIN (SELECT l.sku, l.quantity FROM i.reservation_line l JOIN i.reservation r ON r.order_id ="
     " l.order_id WHERE r.state = 'reserved') r ON r.sku = t.sku GROUP BY t.sku"
     " HAVING coalesce(sum(r.quantity), 0) <> t.reserved", false},
    {"a reservation is as its order is",
     "SELECT 'order ' || d.id || ' is ' || d.status || ', its stock is ' || coalesce(r.state, 'unheard of')"
     " FROM o.orders d LEFT JOIN i.reservation r ON r.order_id = d.id WHERE CASE"
     " WHEN d.status IN ('paid', 'shipped') THEN r.state IS NOT 'sold'"
     " WHEN d.status IN ('cancelled', 'rejected') THEN r.state IS NULL OR r.state IN ('reserved', 'sold')"
     " WHEN d.status = 'reserved' THEN r.state IS NOT 'reserved' ELSE 0 END", false},
    {"no reservation is of no order",
     "SELECT 'stock is ' || state || ' for order ' || order_id || ', which is not there' FROM i.reservation"
     " WHERE order_id NOT IN (SELECT id FROM o.orders)", false},
    {"a reservation holds what was ordered",
     "SELECT 'order ' || r.order_id || ' holds other stock than it has lines' FROM i.reservation r WHERE EXISTS"
     " (SELECT 1 FROM i.reservation_line WHERE order_id = r.order_id) AND (SELECT group_concat(part, ' ') FROM"
     " (SELECT sku || '*' || quantity AS part FROM i.reservation_line WHERE order_id = r.order_id ORDER BY line))"
     " IS NOT (SELECT group_concat(part, ' ') FROM (SELECT sku || '*' || quantity AS part FROM o.order_line"
     " WHERE order_id = r.order_id ORDER BY line))", false},

    /* ---- money ---- */
    {"a paid order has one charge, of its amount",
     "SELECT 'order ' || d.id || ' costs ' || d.total_minor || ' ' || d.currency || '; charged were '"
     " || coalesce(group_concat(c.amount_minor || ' ' || c.currency, ', '), 'nothing') FROM o.orders d LEFT JOIN"
     " charge_of c ON c.order_id = d.id WHERE d.status IN ('paid', 'shipped') GROUP BY d.id"
     " HAVING count(c.order_id) <> 1 OR min(c.amount_minor) <> d.total_minor OR min(c.currency) <> d.currency", false},
    {"no order is charged twice",
     "SELECT 'order ' || order_id || ' was charged ' || count(*) || ' times' FROM charge_of GROUP BY order_id"
     " HAVING count(*) > 1", false},
    {"an order that is charged and not paid has one refund, of its amount",
     "SELECT 'order ' || d.id || ' is ' || d.status || '; charged were ' || c.amount_minor || ', refunded '"
     " || coalesce(sum(r.amount_minor), 'nothing') || ' in ' || count(r.order_id) || ' refunds' FROM o.orders d JOIN"
     " charge_of c ON c.order_id = d.id LEFT JOIN refund_of r ON r.order_id = d.id WHERE d.status IN ('cancelled',"
     " 'rejected') GROUP BY d.id HAVING count(r.order_id) <> 1 OR min(r.amount_minor) <> c.amount_minor", false},
    {"nothing is refunded that is paid, or was never charged",
     "SELECT 'order ' || r.order_id || ' was refunded ' || r.amount_minor || ' and is '"
     " || coalesce(d.status, 'not there') FROM refund_of r LEFT JOIN o.orders d ON d.id = r.order_id"
     " WHERE d.status IS NULL OR d.status NOT IN ('cancelled', 'rejected')"
     " OR NOT EXISTS (SELECT 1 FROM charge_of c WHERE c.order_id = r.order_id)", false},
    {"no charge is of no order",
     "SELECT 'charged were ' || amount_minor || ' ' || currency || ' for ' || key || ', which is no order' FROM"
     " charge_of WHERE order_id NOT IN (SELECT id FROM o.orders)", false},
    {"a payment's state is what the gateway has",
     "SELECT 'the payment of order ' || p.order_id || ' is ' || p.state || '; the gateway has ' || (SELECT count(*)"
     " FROM charge_of c WHERE c.order_id = p.order_id) || ' charges and ' || (SELECT count(*) FROM refund_of r WHERE"
     " r.order_id = p.order_id) || ' refunds' FROM o.payment p WHERE CASE p.state"
     " WHEN 'approved' THEN NOT EXISTS (SELECT 1 FROM charge_of c WHERE c.order_id = p.order_id)"
     " WHEN 'refunded' THEN NOT EXISTS (SELECT 1 FROM refund_of r WHERE r.order_id = p.order_id)"
     " WHEN 'declined' THEN EXISTS (SELECT 1 FROM charge_of c WHERE c.order_id = p.order_id)"
     " WHEN 'voided' THEN EXISTS (SELECT 1 FROM charge_of c WHERE c.order_id = p.order_id)"
     " WHEN 'refund_refused' THEN 1 ELSE 0 END", false},
    {"a declined payment cancels its order",
     "SELECT 'the payment of order ' || d.id || ' was declined, and it is ' || d.status FROM o.orders d"
     " JOIN o.payment p ON p.order_id = d.id WHERE p.state IN ('declined', 'voided')"
     " AND d.status <> 'cancelled'", false},
};
const size_t claim_count = sizeof claims / sizeof claims[0];

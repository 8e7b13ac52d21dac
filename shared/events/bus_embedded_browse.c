/* What an operator sees of the log and of the groups. */
#include "config.h"

#include "events/bus_embedded.h"

/* The newest that match, the oldest of them first. An id is looked for in the texts before one is parsed. */
static const char browse_sql[] =
    "SELECT position, published_us, type, subject, envelope FROM (SELECT * FROM log"
    " WHERE ($1 IS NULL OR type GLOB $1) AND ($2 IS NULL OR subject = $2)"
    " AND ($3 IS NULL OR (instr(envelope, $3) > 0 AND json_extract(envelope, '$.id') = $3))"
    " AND published_us >= $4 AND ($5 = 0 OR published_us < $5) ORDER BY position DESC LIMIT $6) ORDER BY position";
static const char groups_sql[] =
    "SELECT g.name, g.position, (SELECT group_concat(value, ', ') FROM json_each(g.types)), count(log.position),"
    " min(log.published_us) FROM consumer_group g LEFT JOIN log ON log.position > g.position"
    " AND (g.types IS NULL OR " BUS_TYPE_IS_OF("g.types") ") GROUP BY g.name ORDER BY g.name";

enum err bus_embedded_browse(struct bus *base, const struct bus_filter *filter,
                             enum err (*take)(const struct bus_entry *entry, void *context), void *context)
{
    struct bus_embedded *bus = (struct bus_embedded *)base;
    enum err verdict = ERR_NONE;
    pthread_mutex_lock(&bus->lock);
    struct db_statement *query = db_query(bus->reader, browse_sql);
    db_bind_string(query, 1, filter->type);
    db_bind_string(query, 2, filter->subject);
    db_bind_string(query, 3, filter->id);
    db_bind_int(query, 4, filter->since_us);
    db_bind_int(query, 5, filter->until_us);
    db_bind_int(query, 6, filter->limit ? (int64_t)filter->limit : -1);
    while (!verdict && db_next(query)) {
        struct bus_entry entry = {
            .offset = db_int(query, 0),
            .published_us = db_int(query, 1),
            .type = db_text(query, 2),
            .subject = db_text(query, 3),
            .envelope = db_text(query, 4),
        };
        verdict = take(&entry, context);
    }
    enum err err = db_done(query);
    pthread_mutex_unlock(&bus->lock);
    return err ? err : verdict;
}

enum err bus_embedded_groups(struct bus *base, enum err (*take)(const struct bus_group *group, void *context),
                             void *context)
{
    struct bus_embedded *bus = (struct bus_embedded *)base;
    enum err verdict = ERR_NONE;
    pthread_mutex_lock(&bus->lock);
    struct db_statement *query = db_query(bus->reader, groups_sql);
    while (!verdict && db_next(query)) {
        struct bus_group group = {
            .name = db_text(query, 0),
            .offset = db_int(query, 1),
            .types = db_text(query, 2),
            .lag = {(uint64_t)db_int(query, 3), db_int(query, 4)},
        };
        verdict = take(&group, context);
    }
    enum err err = db_done(query);
    pthread_mutex_unlock(&bus->lock);
    return err ? err : verdict;
}

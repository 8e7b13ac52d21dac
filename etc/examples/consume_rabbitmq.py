#!/usr/bin/env python3
"""Prints Tandem's events as they come over RabbitMQ, a JSON object a line: how another language reads them.

    consume_rabbitmq.py amqp://user:password@host:5672/%2F [PREFIX] [TYPE-PATTERN] [COUNT]

PREFIX is bus.prefix (tandem), TYPE-PATTERN a pattern of the exchange's keys without the queue's number ("order.*.*"; all).
Ends after COUNT events, where that is given. It has a queue of its own, which keeps what comes while it is away; each
event is acknowledged when it is through, so one may come twice, and is known by its id.

Needs pika (Debian: python3-pika).
"""
import json
import sys

import pika


def main(url, prefix="tandem", pattern="#", count="0"):
    left = int(count)
    connection = pika.BlockingConnection(pika.URLParameters(url))
    channel = connection.channel()
    queue = f"{prefix}.example"
    channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
    # The last word of a key is the number of the queue that the subject falls to, for Tandem's own groups.
    channel.queue_bind(queue, f"{prefix}.events", "#" if pattern == "#" else f"{pattern}.*")
    channel.basic_qos(prefetch_count=16)
    print("ready", file=sys.stderr, flush=True)

    for method, properties, body in channel.consume(queue):
        if not properties.content_type.startswith("application/cloudevents+json"):
            print(f"not an event: {properties.content_type}", file=sys.stderr)
            channel.basic_reject(method.delivery_tag, requeue=False)
            continue
        event = json.loads(body)
        assert event["specversion"] == "1.0"
        print(json.dumps({name: event.get(name) for name in ("id", "type", "source", "subject", "time", "data")}),
              flush=True)
        channel.basic_ack(method.delivery_tag)
        left -= 1
        if left == 0:
            break
    channel.cancel()
    connection.close()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])

#!/usr/bin/env python3
"""Prints Tandem's events as they come over Kafka, a JSON object a line: how another language reads them.

    consume_kafka.py HOST:PORT[,HOST:PORT] [PREFIX] [FAMILY] [COUNT]

PREFIX is bus.prefix (tandem), FAMILY the first word of the types wanted (order), which is what a topic is called by. Ends
after COUNT events, where that is given. It is a group of its own, PREFIX.example, which goes on where it was; an offset is
committed when its event is through, so one may come twice, and is known by its id.

Needs confluent_kafka (Debian: python3-confluent-kafka).
"""
import json
import sys

from confluent_kafka import Consumer


def read(message):
    """The event in a message of the CloudEvents binding for Kafka, binary mode; None when it is none."""
    headers = {name: value.decode() for name, value in message.headers() or [] if value is not None}
    if headers.get("ce_specversion") != "1.0":
        return None
    event = {name: headers.get("ce_" + name) for name in ("id", "type", "source", "subject", "time")}
    event["data"] = json.loads(message.value()) if message.value() else None
    return event


def main(brokers, prefix="tandem", family="order", count="0"):
    left = int(count)
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": f"{prefix}.example", "enable.auto.commit": False,
                         "auto.offset.reset": "earliest"})
    consumer.subscribe([f"{prefix}.{family}"])
    while True:
        message = consumer.poll(1.0)
        if message is None:
            continue
        if message.error():
            print(f"trouble: {message.error()}", file=sys.stderr)
            continue
        event = read(message)
        if event is None:
            print(f"not an event: offset {message.offset()} of {message.topic()}", file=sys.stderr)
        else:
            print(json.dumps(event), flush=True)
            left -= 1
        consumer.commit(message, asynchronous=False)
        if left == 0:
            break
    consumer.close()


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])

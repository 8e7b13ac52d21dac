#!/usr/bin/env python3
"""Publishes one message that is none of Tandem's: publish_rabbitmq.py URL PREFIX KEY BODY"""
import sys

import pika

url, prefix, key, body = sys.argv[1:]
connection = pika.BlockingConnection(pika.URLParameters(url))
channel = connection.channel()
channel.confirm_delivery()
channel.basic_publish(f"{prefix}.events", key, body, mandatory=True)
connection.close()

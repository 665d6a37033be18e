"""The stores that environments share: one narrow protocol, implemented in memory, in DynamoDB and in Redis."""

from resilience.store.dynamodb import DynamoStore as DynamoStore
from resilience.store.memory import MemoryStore as MemoryStore
from resilience.store.protocol import Item as Item
from resilience.store.protocol import Store as Store
from resilience.store.protocol import Value as Value
from resilience.store.redis import RedisStore as RedisStore

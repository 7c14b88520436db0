// Reads card.alerts. npm install @platformatic/kafka
import { Consumer, stringDeserializers } from '@platformatic/kafka'

const consumer = new Consumer({
  clientId: 'alerts-by-mail',
  groupId: process.env.GROUP ?? 'alerts-by-mail',
  bootstrapBrokers: [process.env.KAFKA_BROKERS ?? '127.0.0.1:9092'],
  deserializers: stringDeserializers,
  sessionTimeout: 10_000, // after a crash another goes on so soon
  rebalanceTimeout: 10_000
})
const done = new Set() // in earnest: a unique column, written in one transaction with the work
const stream = await consumer.consume({
  topics: [process.env.TOPIC ?? 'card.alerts'],
  isolationLevel: 1, // READ_COMMITTED: what was aborted has not happened
  autocommit: false, // an offset is committed when the work is done
  mode: 'committed',
  fallbackMode: 'earliest' // a new group misses nothing
})
for await (const message of stream) {
  const { id, type, subject, data } = JSON.parse(message.value)
  if (!done.has(id)) {
    console.log(subject, type, data.rule, data.remaining) // the work
    done.add(id)
  }
  await message.commit()
}

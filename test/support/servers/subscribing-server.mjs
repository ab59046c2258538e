// A modern server on its pipes. Its tools announce a change to all subscribers, end their subscriptions, or tell of its requests.
import { createInterface } from 'node:readline'

const SUBSCRIPTION = 'io.modelcontextprotocol/subscriptionId'
const subscribers = new Set()
const methods = []
const write = message => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
const tell = (id, method, params) => write({ method, params: { ...params, _meta: { [SUBSCRIPTION]: id } } })
const actions = {
  change: () => {
    for (const id of subscribers) tell(id, 'notifications/tools/list_changed')
  },
  end: () => {
    for (const id of subscribers)
      write({ method: 'notifications/cancelled', params: { requestId: id, reason: 'enough' } })
    subscribers.clear()
  },
}

createInterface({ input: process.stdin }).on('line', line => {
  const { id, method, params } = JSON.parse(line)
  methods.push(method)
  if (method === 'subscriptions/listen') {
    subscribers.add(id)
    tell(id, 'notifications/subscriptions/acknowledged', { notifications: params.notifications })
  } else if (method === 'notifications/cancelled') subscribers.delete(params.requestId)
  else if (method === 'tools/call') {
    actions[params.name]?.()
    const text = `${methods.join(' ')}; ${subscribers.size} subscribed`
    write({ id, result: { resultType: 'complete', content: [{ type: 'text', text }] } })
  }
})

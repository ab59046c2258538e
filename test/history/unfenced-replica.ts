import { parseArgs } from 'node:util'
import { Consumer } from '#built/servers/safebot/domain/consumer.js'
import { createUnderstudy } from '#built/servers/understudy/index.js'

/**
 * A program: a replica as the command starts it, without one check. It shows that the history checker finds the consequences.
 * Any caller may acknowledge a message that its cursor has yet to pass, whichever claim the caller holds.
 */
Consumer.prototype.ack = function ack(this: Consumer, _claimId: string, seq: number) {
  if (seq <= this.cursor) return { consumer: this, advanced: false }
  return { consumer: new Consumer({ ...this, cursor: seq, lease: null }), advanced: true }
}

const text = { type: 'string', default: '0' } as const
const { values } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean' },
    world: text,
    store: text,
    'instanode-port': text,
    'safebot-port': text,
    'control-port': text,
  },
})
await createUnderstudy({
  world: values.world,
  store: values.store,
  safebotPort: Number(values['safebot-port']),
  controlPort: Number(values['control-port']),
})
process.stdout.write('{"ready":true}\n')

import { parentPort, workerData } from 'node:worker_threads'
import { Backend } from './backend.js'
import type { EngineOrder, EngineReport, EngineStart } from './channel.js'
import { Interrupts } from './interrupts.js'
import { unpackTemplate } from './template.js'
import { Input, Output } from './worker-io.js'

/**
 * Entry of an engine's thread. An error that no statement caused ends the thread, and the session notices
 * that.
 */
const port = parentPort
if (port === null) throw new Error('an engine runs in a worker thread of its own')
const start: EngineStart = workerData
const cells = new Int32Array(start.cells)

const report = (message: EngineReport) => port.postMessage(message)
const interrupts = new Interrupts(cells)
const output = new Output(
  cells,
  bytes => port.postMessage({ kind: 'output', bytes } satisfies EngineReport, [bytes.buffer]),
  () => interrupts.poll(),
)
const input = new Input(port, cells, () => {
  output.flush()
  report({ kind: 'inputWanted' })
})

if (start.template !== undefined) unpackTemplate(start.template, start.directory)
const backend = await Backend.open(start, { input, output, interrupts })

backend.greet()
output.flush()
report({ kind: 'ready', state: backend.state() })

port.on('message', (order: EngineOrder) => {
  if (order.kind === 'run') {
    backend.run(order.bytes, order.maxBytes)
    output.flush()
    report({ kind: 'idle', state: backend.state() })
  } else if (order.kind === 'end')
    backend.close().then(() => {
      report({ kind: 'ended' })
      port.close()
    })
})

import { parentPort, workerData } from 'node:worker_threads'
import { Backend } from './backend.js'
import type { EngineCommand, EngineEvent, EngineStart } from './channel.js'
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

const post = (event: EngineEvent) => port.postMessage(event)
const interrupts = new Interrupts(cells)
const output = new Output(
  cells,
  bytes => port.postMessage({ kind: 'output', bytes } satisfies EngineEvent, [bytes.buffer]),
  () => interrupts.poll(),
)
const input = new Input(port, cells, () => {
  output.flush()
  post({ kind: 'inputWanted' })
})

if (start.template !== undefined) unpackTemplate(start.template, start.directory)
const backend = await Backend.open(start, { input, output, interrupts })

backend.reportParameters()
output.flush()
post({ kind: 'ready', state: backend.state() })

port.on('message', (command: EngineCommand) => {
  if (command.kind === 'run') {
    backend.run(command.bytes, command.maxBytes)
    output.flush()
    post({ kind: 'idle', state: backend.state() })
  } else if (command.kind === 'end')
    backend.close().then(() => {
      post({ kind: 'ended' })
      port.close()
    })
})

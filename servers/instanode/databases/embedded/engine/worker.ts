import { parentPort, workerData } from 'node:worker_threads'
import { Backend } from './backend.js'
import type { EngineCommand, EngineEvent, EngineStart } from './channel.js'
import { Interrupts } from './interrupts.js'
import { unpackTemplate } from './template.js'
import { Input, Output } from './worker-io.js'

/**
 * The program of an engine's thread. SQL errors are answered to the client. Any other error ends the thread,
 * and the main thread gets an `exit` event.
 */
const port = parentPort
if (port === null) throw new Error('this module runs only as a worker thread of an engine')
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

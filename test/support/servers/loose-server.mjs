// A server on its pipes that does not keep to much: it dies, garbles an answer, or logs to stdout, as it is told.
import { createInterface } from 'node:readline'

const waiting = new Set()
let cancelled = 0
let asking
const write = text => process.stdout.write(`${text}\n`)
const answer = (id, text) =>
  write(
    JSON.stringify({
      jsonrpc: '2.0',
      id,
      result: { content: text === undefined ? [] : [{ type: 'text', text }] },
    }),
  )

createInterface({ input: process.stdin }).on('line', line => {
  const { id, method, params, result } = JSON.parse(line)
  if (method === 'initialize') {
    const serverInfo = { name: 'dying', version: '1' }
    const result = { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo }
    write(JSON.stringify({ jsonrpc: '2.0', id, result }))
  } else if (id === 'question') answer(asking, result.roots[0].uri)
  else if (method === 'notifications/cancelled' && waiting.delete(params.requestId)) cancelled++
  else if (method === 'tools/call') {
    if (params.name === 'die') process.exit(7)
    else if (params.name === 'garble') write(`{{"jsonrpc":"2.0","id":${id},"result":{}}`)
    else if (params.name === 'wait') waiting.add(id)
    else if (params.name === 'ask') {
      asking = id
      write(JSON.stringify({ jsonrpc: '2.0', id: 'question', method: 'roots/list' }))
    } else if (params.name === 'open') answer(id, `${waiting.size} waiting, ${cancelled} cancelled`)
    else {
      write('a line of a log that has nothing to do here')
      answer(id)
    }
  }
})

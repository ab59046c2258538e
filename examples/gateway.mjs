import { createServer } from 'node:http'

/**
 * The smallest gateway there can be: it passes on what it is sent, and answers calls of denied tools itself.
 * It stands where yours would.
 *
 * @param {string} upstream the MCP endpoint behind it
 * @param {readonly string[]} denied names of tools
 */
export async function startGateway(upstream, denied) {
  const server = createServer(async (request, response) => {
    const chunks = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks).toString()
    const { id, method, params } = JSON.parse(body)
    const type = { 'Content-Type': 'application/json' }
    if (method === 'tools/call' && denied.includes(params.name)) {
      const result = { content: [{ type: 'text', text: `denied by policy: ${params.name}` }], isError: true }
      response.writeHead(200, type).end(JSON.stringify({ jsonrpc: '2.0', id, result }))
      return
    }
    const { authorization } = request.headers
    const answer = await fetch(upstream, {
      method: 'POST',
      headers: { ...type, ...(authorization && { Authorization: authorization }) },
      body,
    })
    response.writeHead(answer.status, type).end(await answer.text())
  })
  await new Promise(resolve => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${server.address().port}/mcp`,
    close: () => new Promise(resolve => server.close(resolve)),
  }
}

/** Calls a tool over HTTP, as an agent without a session may; returns the result. */
export async function callTool(url, name, args, token) {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } }),
  })
  return (await response.json()).result
}

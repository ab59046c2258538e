import express from 'express'

/** A program: the least a webhook receiver in Express would be. It reads the body and answers with a line of JSON. */
const app = express()
app.post('/', express.text({ type: () => true, limit: '1mb' }), (request, response) => {
  response.json({ ok: true, bytes: request.body.length })
})
const server = app.listen(0, '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${server.address().port}/\n`)
})

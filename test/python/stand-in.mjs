// The built library on a manual clock, for a test in another language. Prints where Safebot is; then a line of milliseconds
// on stdin moves the clock, and is answered with a line once all that fell due is done.
import { createInterface } from 'node:readline'
import { createUnderstudy } from '../../dist/servers/understudy/index.js'

const understudy = await createUnderstudy({ clock: 'manual' })
process.stdout.write(`${understudy.safebot.apiUrl}\n`)
for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${await understudy.clock.advance(Number(line))}\n`)
}
await understudy.close()

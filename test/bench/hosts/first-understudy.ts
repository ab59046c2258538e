import { createUnderstudy } from '#built/servers/understudy/index.js'

/** A program: prints how many milliseconds the first instance of a process takes to listen, all modules loaded. */
const begin = performance.now()
const understudy = await createUnderstudy({ clock: 'manual' })
process.stdout.write(`${performance.now() - begin}\n`)
await understudy.close()

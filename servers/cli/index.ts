#!/usr/bin/env node
import { Refusal } from '../../shared/errors.js'
import { runCommandLine } from './command-line.js'
import { UsageError } from './usage-error.js'

// Only the code of the requested command is loaded, because a stdio server has to start fast.
const running = runCommandLine(process.argv.slice(2), {
  up: async args => (await import('./up.js')).up(args),
  instanode: async args => (await import('./instanode.js')).instanode(args),
  safebot: async args => (await import('./safebot.js')).safebot(args),
  gateway: async args => (await import('./gateway.js')).gateway(args),
  rehearse: async args => (await import('./rehearse.js')).rehearse(args),
  check: async args => (await import('./check.js')).check(args),
  demo: async args => (await import('./demo.js')).demo(args),
})

// The reader of a pipe can end early, for example `head`. The command then ends as usual, without a stack trace.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

running.then(
  // An open connection of a client could keep the process running.
  code => process.exit(code),
  error => {
    const sentence = error instanceof Refusal ? error.sentence : String(error)
    process.stderr.write(`understudy: ${sentence}\n`)
    process.exit(error instanceof UsageError ? 2 : 1)
  },
)

#!/usr/bin/env node
import { Refusal } from '../../shared/errors.js'
import { readCommandLine, UsageError } from './options.js'

/** Each command is loaded when it is asked for: a stdio server has to start fast. @returns the exit code */
async function main(args: string[]): Promise<number> {
  const given = readCommandLine(args, process.env)
  const { COMMANDS, help } = await import('./help.js')
  if (given.flag('version')) {
    const { VERSION } = await import('../../shared/util/version.js')
    process.stdout.write(`${VERSION}\n`)
  } else if (given.flag('help')) process.stdout.write(help())
  else if (given.command === 'up') await (await import('./up.js')).up(given)
  else if (given.command === 'instanode') await (await import('./instanode.js')).instanode(given)
  else if (given.command === 'safebot') await (await import('./safebot.js')).safebot(given)
  else if (given.command === 'gateway') return (await import('./gateway.js')).gateway(given)
  else if (given.command === 'rehearse') return (await import('./rehearse.js')).rehearse(given)
  else if (given.command === 'demo') return (await import('./demo.js')).demo(given)
  else if (given.command === 'check') return (await import('./check.js')).check(given)
  else {
    const known = `there are ${Object.keys(COMMANDS).join(', ')}; --help tells more`
    throw new UsageError(
      given.command === undefined ? 'no command' : `"${given.command}" is no command`,
      known,
    )
  }
  return 0
}

main(process.argv.slice(2)).then(
  // What a client left open must not keep a server alive that has said all it had to say.
  code => process.exit(code),
  error => {
    const sentence = error instanceof Refusal ? error.sentence : String(error)
    process.stderr.write(`understudy: ${sentence}\n`)
    process.exit(error instanceof UsageError ? 2 : 1)
  },
)

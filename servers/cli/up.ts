import { VERSION } from '../../shared/version.js'
import { createUnderstudy, type Understudy, type UnderstudyOptions } from '../understudy.js'
import { instanceOptions } from './instance-options.js'
import { type Given, readPort } from './options.js'
import { answersToItself } from './self-call.js'
import { untilTold } from './until-told.js'

/** `understudy up`: everything over HTTP, until told to stop. */
export async function up(given: Given): Promise<void> {
  const options: UnderstudyOptions = {
    ...instanceOptions(given),
    host: given.text('host') ?? '127.0.0.1',
    allowedHosts: given.texts('allow-host'),
    safebotPort: readPort(given, 'safebot-port'),
  }
  const understudy = await createUnderstudy(options)
  const told = untilTold()
  await answersToItself(understudy.safebot.mcpUrl)
  process.stdout.write(given.flag('json') ? readyLine(understudy) : readyText(understudy, options))
  await told
  await understudy.close()
}

function readyLine({ safebot }: Understudy): string {
  const ready = { ready: true, version: VERSION, safebot: { mcp: safebot.mcpUrl, api: safebot.apiUrl } }
  return `${JSON.stringify(ready)}\n`
}

/** What a shell can `eval`: all but the exports is comment. */
function readyText({ safebot }: Understudy, { clock, contract }: UnderstudyOptions): string {
  return [
    `# understudy ${VERSION} is up: clock ${clock}, contract ${contract}. Ctrl-C stops it.`,
    '#',
    `#   Safebot   ${safebot.mcpUrl}   (eight tools; say who you are with the header X-Safebot-Handle)`,
    '#',
    `export UNDERSTUDY_SAFEBOT_MCP='${safebot.mcpUrl}'`,
    '',
  ].join('\n')
}

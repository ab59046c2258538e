import { Refusal } from '../../shared/errors.js'
import { defined } from '../../shared/util/objects.js'
import { VERSION } from '../../shared/util/version.js'
import { createUnderstudy, type Understudy, type UnderstudyOptions } from '../understudy/understudy.js'
import { type ParsedArgs, refuseOptions } from './commands.js'
import { databaseOptions, instanceOptions, stderrLog, worldOption } from './instance-options.js'
import { address, shutdownSignal } from './serve.js'

/** Options that require a gateway. */
const GATEWAY_OPTIONS = ['approval-hold', 'upstream-header', 'dialect', 'denial-text'] as const

/**
 * Runs `understudy up`: starts both stand-ins, the control plane and the gateways of `--policy`. Resolves
 * when all of them have stopped after a shutdown signal.
 */
export async function up(args: ParsedArgs<'up'>): Promise<void> {
  const { options: given } = args
  const withGateways = given.policy.length > 0
  if (!withGateways) refuseOptions(args.given, GATEWAY_OPTIONS, 'without --policy')
  let onPrinted = () => {}
  const printed = new Promise<void>(resolve => {
    onPrinted = resolve
  })
  const options: UnderstudyOptions = {
    ...instanceOptions(given),
    log: stderrLog(printed),
    ...databaseOptions(given),
    ...address(given),
    world: await worldOption(given),
    instanodePort: given['instanode-port'],
    safebotPort: given['safebot-port'],
    attack: given.attack,
    gateways: withGateways ? await gateways(args) : {},
    controlPort: given['control-port'],
  }
  const understudy = await createUnderstudy(options)
  const shutdown = shutdownSignal()
  await assertReady(understudy.control.url)
  const accounts = await understudy.instanode.accounts()
  const print = given.json ? readyLine : readyText
  process.stdout.write(print(understudy, accounts, options))
  onPrinted()
  await shutdown
  await understudy.close()
}

/** Returns the options of the gateways. Loads the code of policies only when it is needed. */
async function gateways(args: ParsedArgs<'up'>): Promise<UnderstudyOptions['gateways'] & object> {
  const { gatewayOptions } = await import('./gateway-options.js')
  return gatewayOptions(args)
}

type Accounts = Awaited<ReturnType<Understudy['instanode']['accounts']>>

function readyLine(
  { instanode, safebot, control, attacks, gateways }: Understudy,
  accounts: Accounts,
): string {
  const ready = {
    ready: true,
    version: VERSION,
    instanode: { mcp: instanode.mcpUrl, api: instanode.apiUrl },
    safebot: { mcp: safebot.mcpUrl, api: safebot.apiUrl },
    control: { url: control.url },
    accounts: accounts.map(({ id, plan, fixedToken }) => ({ id, plan, token: fixedToken })),
    ...defined({
      gateways: gateways.all().length > 0 ? urlsOf(gateways) : undefined,
      attacks: attacks.length > 0 ? attacks : undefined,
    }),
  }
  return `${JSON.stringify(ready)}\n`
}

/**
 * Returns the text that `up` prints. A shell can evaluate it, because every line is a comment or an export.
 */
function readyText(
  { clock, instanode, safebot, control, attacks, gateways }: Understudy,
  accounts: Accounts,
  { contract }: UnderstudyOptions,
): string {
  return [
    `# understudy ${VERSION} is up. Clock: ${clock.mode}. Contract: ${contract}. Ctrl-C stops it.`,
    '#',
    `#   Instanode ${instanode.mcpUrl}   (six tools; anonymous, or with Authorization: Bearer TOKEN)`,
    ...accounts.map(({ id, fixedToken }) => `#             ${fixedToken} is ${id}`),
    `#   Safebot   ${safebot.mcpUrl}   (eight tools; the header X-Safebot-Handle names the caller)`,
    ...gateways.all().map(gatewayText),
    `#   Control   ${control.url}   (clock, journal, faults, state, snapshots; open it in a browser, or use curl)`,
    ...attacks.flatMap(attackText),
    '#',
    `export UNDERSTUDY_INSTANODE_MCP='${instanode.mcpUrl}'`,
    `export UNDERSTUDY_SAFEBOT_MCP='${safebot.mcpUrl}'`,
    ...gateways
      .all()
      .map(({ server, gateway }) => `export UNDERSTUDY_GATEWAY_${server.toUpperCase()}='${gateway.url}'`),
    `export UNDERSTUDY_CONTROL='${control.url}'`,
    '',
  ].join('\n')
}

function urlsOf(gateways: Understudy['gateways']): Record<string, { mcp: string }> {
  return Object.fromEntries(gateways.all().map(({ server, gateway }) => [server, { mcp: gateway.url }]))
}

function gatewayText({ server, gateway }: ReturnType<Understudy['gateways']['all']>[number]): string {
  const policy = gateway.view.policy?.name ?? 'a policy'
  const callers = gateway.knowsAccounts
    ? 'callers: each account by its token, or anonymous'
    : 'all calls count as one caller'
  return `#   Gateway   ${gateway.url}   (in front of ${server}; enforces ${policy}; ${callers})`
}

function attackText({ name, about, rooms, receivers }: Understudy['attacks'][number]): string[] {
  return [
    '#',
    `#   HOSTILE: ${name} is on. ${about}`,
    ...Object.entries({ ...rooms, ...receivers }).map(
      ([planted, where]) => `#             ${planted}: ${where}`,
    ),
  ]
}

/**
 * Maximum number of readiness checks. Each part of the understudy has 500 ms to answer a check, so a busy
 * machine may need several.
 */
const READY_CHECKS = 20

/**
 * Calls `/readyz` until every server is ready. The journal does not show these calls.
 *
 * @throws Refusal `not_ready` after {@link READY_CHECKS} checks. Its hint is the last answer.
 */
async function assertReady(controlUrl: string): Promise<void> {
  for (let check = 1; ; check++) {
    const response = await fetch(`${controlUrl}/readyz`)
    const answer = await response.text()
    if (response.ok) return
    if (check < READY_CHECKS) continue
    throw new Refusal('not_ready', `the servers are not ready (/readyz answered ${response.status})`, answer)
  }
}

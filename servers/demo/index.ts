import { assertEqual } from './assertions.js'
import { Narrator, paintFor } from './narrator.js'
import { Pace } from './pace.js'
import { approveDeletion, exceedLimit } from './scenes-policy.js'
import { claimResources, createDatabases, expireResources, receiveWebhook } from './scenes-resources.js'
import { crashWorker } from './scenes-worker.js'
import { openStage, type Stage, type StageOptions } from './stage.js'

export interface DemoOptions extends StageOptions {
  /** Play without pauses, and exit after the last scene. */
  fast: boolean
  /** Resolves when the demo has to stop. */
  shutdown: Promise<void>
}

const TITLES = {
  create: 'An agent without an account creates two databases',
  receive: 'A webhook receiver gets a request',
  claim: 'A paid account claims resources',
  limit: 'The 31st call in a minute is denied',
  approve: 'A deletion waits for an approval',
  crash: 'A worker crashes with a claimed task',
  expire: 'A day passes',
} as const

/** Exit code of a program that Ctrl-C ended, by the convention of shells. */
const INTERRUPTED = 130

/**
 * Plays the demo on the terminal. Unless it is `fast`, the servers stay up after the last scene until the shutdown.
 *
 * @returns the exit code
 * @throws DemoFailure that names the scene whose check failed; Refusal for options that cannot be used.
 *   Nothing is left running
 */
export async function demo({ fast, shutdown, ...options }: DemoOptions): Promise<0 | 130> {
  const stage = await openStage(options)
  try {
    const pace = new Pace(stage.understudy.instance.machine, fast)
    const { stdin, stdout, env } = process
    const narrator = new Narrator({
      write: text => stdout.write(text),
      paint: paintFor(stdout, env),
      pace,
      titles: Object.values(TITLES),
    })
    introduce(stage, narrator, fast ? undefined : pace.listen(stdin))
    const played = pace.pause('start').then(() => playScenes(stage, narrator))
    const interrupted = await Promise.race([played.then(() => false), shutdown.then(() => true)])
    if (interrupted) return INTERRUPTED
    summarize(stage, narrator)
    if (fast) return 0
    suggestCommands(stage, narrator)
    await shutdown
    return 0
  } finally {
    await stage.close()
  }
}

async function playScenes(stage: Stage, narrator: Narrator): Promise<void> {
  const { orders, scratch } = await narrator.scene(TITLES.create, () => createDatabases(stage, narrator))
  const inbox = await narrator.scene(TITLES.receive, () => receiveWebhook(stage, narrator))
  await narrator.scene(TITLES.claim, () => claimResources(stage, narrator, { orders, inbox }))
  await narrator.scene(TITLES.limit, () => exceedLimit(stage, narrator, orders))
  await narrator.scene(TITLES.approve, () => approveDeletion(stage, narrator, inbox))
  await narrator.scene(TITLES.crash, () => crashWorker(stage, narrator))
  await narrator.scene(TITLES.expire, () => expireResources(stage, narrator, { orders, scratch }))
}

/** @param enter whether Enter skips pauses; undefined if there are none */
function introduce({ understudy, policies }: Stage, narrator: Narrator, enter?: boolean): void {
  narrator.print(
    `Watch it in a browser: ${understudy.control.url}`,
    '',
    'Two MCP servers run here: Instanode (databases, webhook receivers) and Safebot (rooms, tasks).',
    'A gateway in front of each server enforces a policy:',
    `  Instanode  ${policies.instanode}`,
    `  Safebot    ${policies.safebot}`,
    'Two scripted agents, Ana and Ben, call tools through the gateways. Below each call are the result that the',
    'agent saw, and whether the call reached the server behind the gateway ("upstream"), by the journal of the server.',
    'The clock moves only when a scene moves it. Nothing expires while you read.',
  )
  if (enter === undefined) return
  const skip = enter ? 'Enter skips a pause. ' : ''
  narrator.print(
    '',
    `The demo starts in ten seconds. ${skip}Ctrl-C ends it. Do not move the clock meanwhile.`,
  )
}

/** Compares the records of the gateways and of the servers. @throws DemoFailure if they disagree */
function summarize({ understudy, anonymousGateway }: Stage, narrator: Narrator): void {
  const gateways = [anonymousGateway, ...understudy.gateways.all().map(({ gateway }) => gateway)]
  const calls = gateways.flatMap(({ audit }) => audit.entries())
  const denied = calls.filter(({ outcome }) => outcome === 'denied').length
  const reached = understudy.journal.entries({ method: 'tools/call' }).length
  assertEqual('calls that reached the servers', reached, calls.length - denied)
  narrator.print(
    '',
    `All checks passed: ${calls.length} calls, ${denied} denied by policy, ${reached} reached the servers.`,
  )
}

function suggestCommands({ understudy: { control } }: Stage, narrator: Narrator): void {
  narrator.print(
    '',
    'The servers stay up until Ctrl-C. Try these:',
    `  ${control.url}`,
    `  curl -s '${control.url}/gateways/audit?outcome=denied'        # the denied calls, and the rule of each`,
    `  curl -s '${control.url}/journal?tool=delete_resource'         # the calls of a tool that reached a server`,
    `  curl -s ${control.url}/clock/advance -d '{"ms":60000}'        # move the clock by a minute`,
  )
}

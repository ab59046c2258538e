import { LATEST_PROTOCOL_VERSION } from '@modelcontextprotocol/sdk/types.js'
import { assertEqual } from './agents.js'
import { Narrator } from './narrator.js'
import { SCENES } from './scenes.js'
import { type Closable, type DemoStage, type DemoStageOptions, openDemoStage } from './stage.js'

export interface DemoOptions extends DemoStageOptions {
  /** Whether the demo plays without pauses and ends after the last scene. */
  fast: boolean
  /** Resolves when the demo has to stop. */
  shutdown: Promise<void>
}

/**
 * Plays the demo on the terminal. Without `fast`, the servers keep running after the last scene, until the
 * shutdown. In every case, closes the servers and the agents at the end.
 *
 * @returns the exit code: 0, or 130 if the shutdown interrupts the scenes. 130 is the code that shells use
 *   for Ctrl-C
 * @throws Refusal with the name of the scene in which a check failed, or for options that cannot be used
 */
export async function demo({ fast, shutdown, ...options }: DemoOptions): Promise<0 | 130> {
  const opened: Closable[] = []
  try {
    const stage = await openDemoStage(opened, options)
    const { machine } = stage.understudy.instance
    const narrator = new Narrator(process.stdout, stage.upstream, fast ? null : machine)
    narrator.print(introduction(stage))
    const played = narrator.pause('start').then(() => narrator.play(SCENES, stage))
    const interrupted = await Promise.race([played.then(() => false), shutdown.then(() => true)])
    if (interrupted) return 130
    narrator.print(summary(stage))
    if (fast) return 0
    narrator.print(suggestions(stage))
    await shutdown
    return 0
  } finally {
    for (const part of opened.toReversed()) await part.close()
  }
}

function introduction({ understudy, policies }: DemoStage): string {
  return `Watch it in a browser: ${understudy.control.url}

Two MCP servers run here: Instanode (databases, webhook receivers) and Safebot (rooms, tasks).
A gateway in front of each server enforces a policy:
  Instanode  ${policies.instanode}
  Safebot    ${policies.safebot}
Two scripted agents, Ana and Ben, call tools through the gateways and speak MCP ${LATEST_PROTOCOL_VERSION}.
Below each step are the result that the agent saw, and whether its last call reached the server behind the gateway
("upstream"), by the journal of the server.
The clock moves only when a scene moves it. Nothing expires while you read. Ctrl-C ends the demo.`
}

/**
 * Compares the audits of the gateways with the journal of the servers.
 *
 * @throws Refusal if the audits and the journal do not agree
 */
function summary({ understudy, gateways }: DemoStage): string {
  const calls = gateways.flatMap(({ audit }) => audit.entries())
  const denied = calls.filter(({ outcome }) => outcome === 'denied').length
  const entries = understudy.journal.entries({ method: 'tools/call' })
  const reached = entries.length
  assertEqual('calls that reached the servers', reached, calls.length - denied)
  const revisions = [...new Set(entries.map(({ protocol }) => protocol))]
  assertEqual('the revisions of MCP that the agents spoke', revisions, [LATEST_PROTOCOL_VERSION])
  return `\nAll checks passed: ${calls.length} calls, ${denied} denied by policy, ${reached} reached the servers.`
}

function suggestions({ understudy: { control } }: DemoStage): string {
  return `
The servers stay up until Ctrl-C. Try these:
  ${control.url}
  curl -s '${control.url}/gateways/audit?outcome=denied'        # the denied calls, and the rule of each
  curl -s '${control.url}/journal?tool=delete_resource'         # the calls of a tool that reached a server
  curl -s ${control.url}/clock/advance -d '{"ms":60000}'        # move the clock by a minute`
}

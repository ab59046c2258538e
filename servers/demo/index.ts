import { same } from './show/as-narrated.js'
import { paintFor } from './show/colours.js'
import { Narrator } from './show/narrator.js'
import { Pace } from './show/pace.js'
import { Stage, type StageOptions } from './stage.js'
import { story } from './story.js'

export interface DemoOptions extends StageOptions {
  /** To the end without a pause, and then over. */
  fast: boolean
  /** Resolves when it is to end. */
  told: Promise<void>
}

/** As a shell has it of a program that Ctrl-C has ended. */
const INTERRUPTED = 130

/**
 * Plays the demo on the terminal. Unless it is `fast`, its servers stay up behind the last scene until it is told to end.
 *
 * @returns the exit code
 * @throws NotAsNarrated naming the scene that went otherwise; Refusal for options that cannot be met; nothing is left running then
 */
export async function demo({ fast, told, ...options }: DemoOptions): Promise<0 | 130> {
  const stage = await Stage.open(options)
  try {
    const pace = new Pace(stage.understudy.instance.machine, fast)
    const { stdin, stdout, env } = process
    const tell = new Narrator({ write: text => stdout.write(text), paint: paintFor(stdout, env), pace })
    introduce(stage, tell, { fast, enter: pace.listen(stdin) })
    const ending = await Promise.race([
      story(stage, tell, pace).then(() => 'played' as const),
      told.then(() => 'told' as const),
    ])
    if (ending === 'told') return INTERRUPTED
    conclude(stage, tell)
    if (fast) return 0
    stayUp(stage, tell)
    await told
    return 0
  } finally {
    await stage.close()
  }
}

/** @param enter whether Enter goes on */
function introduce(
  { understudy, policies }: Stage,
  tell: Narrator,
  { fast, enter }: { fast: boolean; enter: boolean },
): void {
  tell.says(
    `Watch it in a browser: ${understudy.control.url}`,
    '',
    'Two MCP servers run here, Instanode (databases, receivers) and Safebot (rooms, tasks), and in front of each',
    'a gateway that holds agents to a policy:',
    `  Instanode  ${policies.instanode}`,
    `  Safebot    ${policies.safebot}`,
    'Two scripted agents, Ana and Ben, call through the gateways. Below each call stands what its caller saw, and',
    "whether it reached the server behind the gateway (upstream), by that server's own journal.",
    'The clock stands still unless it is moved, so that nothing runs out while you read.',
    ...(fast
      ? []
      : [
          '',
          `It begins in ten seconds. ${enter ? 'Enter goes on at once, ' : ''}Ctrl-C ends it. Until it is over, leave the clock to it.`,
        ]),
  )
}

/** Both records at once: what the gateways let through is what reached the servers. @throws NotAsNarrated */
function conclude({ understudy, nobodys }: Stage, tell: Narrator): void {
  const gateways = [nobodys, ...understudy.gateways.all().map(({ gateway }) => gateway)]
  const calls = gateways.flatMap(({ audit }) => audit.entries())
  const denied = calls.filter(({ outcome }) => outcome === 'denied').length
  const reached = understudy.journal.entries({ method: 'tools/call' }).length
  same('how many calls reached the servers', reached, calls.length - denied)
  tell.says(
    '',
    `All as narrated: ${calls.length} calls, ${denied} denied by policy, ${reached} reached the servers.`,
  )
}

function stayUp({ understudy: { control } }: Stage, tell: Narrator): void {
  tell.says(
    '',
    'The servers stay up until Ctrl-C. Look around:',
    `  ${control.url}`,
    `  curl -s '${control.url}/gateways/audit?outcome=denied'        # what was denied, and by which rule`,
    `  curl -s '${control.url}/journal?tool=delete_resource'         # what reached a server`,
    `  curl -s ${control.url}/clock/advance -d '{"ms":60000}'        # a minute passes`,
  )
}

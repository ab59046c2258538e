import { createUnderstudy } from '#built/servers/understudy/index.js'
import type { Measurement, Row } from '../row.js'
import { median } from '../statistics.js'

const TIMES = 10
const UNCHECKED = { target: 'none: told for completeness', met: true }

/** Measures taking a snapshot of the whole state, and restoring the snapshot. */
export const snapshot: Row = {
  name: 'snapshot',
  measure: async () => [
    ...(await measureWorld('default', 'nothing but accounts')),
    ...(await measureWorld('busy', 'two live databases among the rest')),
  ],
}

async function measureWorld(world: string, holding: string): Promise<Measurement[]> {
  const understudy = await createUnderstudy({ clock: 'manual', world })
  try {
    const [taking, goingBack]: number[][] = [[], []]
    for (let nth = 0; nth < TIMES; nth++) {
      let begin = performance.now()
      const kept = await understudy.snapshot()
      taking?.push(performance.now() - begin)
      begin = performance.now()
      await understudy.restore(kept)
      goingBack?.push(performance.now() - begin)
      await understudy.discard(kept)
    }
    return [
      {
        what: `snapshot of the world \`${world}\` (${holding}), median of ${TIMES}`,
        unit: 'ms',
        ours: median(taking ?? []),
        ...UNCHECKED,
      },
      { what: 'going back to it, median', unit: 'ms', ours: median(goingBack ?? []), ...UNCHECKED },
    ]
  } finally {
    await understudy.close()
  }
}

import { calls } from '../live/calls.js'
import { gateways, pending } from '../live/gateways.js'
import { faults, state } from '../live/state.js'
import { ToldLine } from './told-line.js'

type Part = [id: string, name: string, count: number]

/** Ways to the parts of the page, with how much there is in each. */
export function Contents() {
  const { instanode, safebot } = state.value ?? {}
  const ofType = (type: string) => instanode?.resources.filter(resource => resource.type === type).length ?? 0
  const parts: Part[] = [['calls', 'Calls', calls.value.length]]
  if (gateways.value.length > 0) parts.unshift(['gateway', 'Gateway', pending.value.length])
  parts.push(['traffic', 'Traffic', 0])
  if (safebot) parts.push(['rooms', 'Rooms', safebot.rooms.length])
  if (instanode)
    parts.push(['resources', 'Databases', ofType('postgres')], ['receivers', 'Receivers', ofType('webhook')])
  parts.push(['faults', 'Faults', faults.value.length])
  return (
    <div class="bar">
      <nav class="contents" aria-label="Parts of this page">
        {parts.map(([id, name, count]) => (
          <a key={id} href={`#${id}`}>
            {name}
            {count > 0 && <span class="num dim"> {count.toLocaleString('en')}</span>}
          </a>
        ))}
      </nav>
      <ToldLine />
    </div>
  )
}

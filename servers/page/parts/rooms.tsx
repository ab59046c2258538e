import type { SafebotView } from '../../safebot/view.js'
import { state } from '../live/state.js'
import { counted, countOfShown, MOST_SHOWN } from '../model/format.js'
import { Consumers } from './consumers.js'
import { Empty, Section } from './elements.js'
import { LeaseTimeline } from './lease-timeline.js'
import { Messages } from './messages.js'

type Room = SafebotView['rooms'][number]

/** SafeBot's rooms: what is said there, and who holds what. */
export function Rooms() {
  const safebot = state.value?.safebot
  if (safebot === undefined) return null
  const { rooms } = safebot
  const latest = rooms
    .toSorted((one, other) => other.activeAt.localeCompare(one.activeAt))
    .slice(0, MOST_SHOWN)
  return (
    <Section id="rooms" title="Rooms" note={countOfShown(rooms.length, 'room')}>
      {rooms.length === 0 ? (
        <Empty
          command={`curl -s ${safebot.mcpUrl?.replace(/\/mcp$/, '')}/api/rooms/demo-room/messages -H 'Content-Type: application/json' \\\n  -d '{"ciphertext":"c2VhbGVkIGVsc2V3aGVyZQ==","nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","sender":"curl"}'`}
        >
          There is no room. One comes with its first message: from an agent that calls create_room and
          send_message, or so:
        </Empty>
      ) : (
        latest.map(room => <RoomCard key={room.id} room={room} />)
      )}
    </Section>
  )
}

function RoomCard({ room }: { room: Room }) {
  const { id, buffered, present, waiting, signedOnly } = room
  return (
    <article class="room" aria-label={`Room ${id}`}>
      <header class="room-head">
        <h3 class="mono">{id}</h3>
        <span class="dim">
          {counted(buffered, 'message')}, {present} present, {waiting} waiting
          {signedOnly && ', signed messages only'}
        </span>
      </header>
      <div class="room-parts">
        <div>
          <Consumers room={room} />
          <LeaseTimeline room={room} />
        </div>
        <Messages room={room} />
      </div>
    </article>
  )
}

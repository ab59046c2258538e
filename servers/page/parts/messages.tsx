import type { SafebotView } from '../../safebot/view.js'
import { isOpen, toggle } from '../live/secrets.js'
import { openState } from '../live/state.js'
import { timeOfDay } from '../model/format.js'
import { Scrolled } from './elements.js'

type Room = SafebotView['rooms'][number]

/** What is said in a room: sealed, and open if this instance has the key and somebody asks. */
export function Messages({ room }: { room: Room }) {
  const name = `texts of ${room.id}`
  const texts = isOpen(name)
    ? openState.value?.safebot?.rooms.find(({ id }) => id === room.id)?.messages
    : undefined
  const textOf = (seq: number) => texts?.find(message => message.seq === seq)?.text
  return (
    <div class="messages">
      <div class="messages-head">
        {room.keyKnown ? (
          <>
            <span class="dim">
              {texts === undefined
                ? 'as the service has them: sealed'
                : 'opened with the key that a tool here was given'}
            </span>
            <button
              type="button"
              class="plain"
              aria-expanded={texts !== undefined}
              onClick={() => toggle(name)}
            >
              {texts === undefined ? 'show texts' : 'hide texts'}
            </button>
          </>
        ) : (
          <span class="dim">
            sealed: this instance has not come by the room’s key, so only its agents can read them
          </span>
        )}
      </div>
      <Scrolled label={`Messages of ${room.id}, the latest first`}>
        <table>
          <thead>
            <tr>
              <th>seq</th>
              <th>sender</th>
              <th>message</th>
              <th class="right">time</th>
            </tr>
          </thead>
          <tbody>
            {room.messages.toReversed().map(({ seq, sender, senderVerified, ciphertext, at }) => (
              <tr key={seq}>
                <td class="num dim">{seq}</td>
                <td>
                  {sender}
                  {senderVerified && <span title="signed, and checked"> ✓</span>}
                </td>
                <td class="message">
                  <MessageText text={textOf(seq)} ciphertext={ciphertext} />
                </td>
                <td class="right num dim" title={at}>
                  {timeOfDay(at)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scrolled>
    </div>
  )
}

/** @param text undefined: nobody has asked for it; null: no key opens it */
function MessageText({ text, ciphertext }: { text: string | null | undefined; ciphertext: string }) {
  if (typeof text === 'string') return <span class="plaintext">{text}</span>
  return (
    <span class="mono ciphertext dim" title={text === null ? 'no key at hand opens it' : 'sealed'}>
      {ciphertext.slice(0, 80)}
    </span>
  )
}

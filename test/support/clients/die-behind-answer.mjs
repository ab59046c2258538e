// Preloaded into a server: kills its process right behind the first write to a socket or pipe that has DIE_BEHIND in it.
import { Socket } from 'node:net'

const marker = process.env.DIE_BEHIND ?? ''

for (const method of ['_write', '_writev']) {
  const write = Socket.prototype[method]
  Socket.prototype[method] = function (data, ...rest) {
    const result = write.call(this, data, ...rest)
    const chunks = Array.isArray(data) ? data.map(({ chunk }) => chunk) : [data]
    // The kernel has the bytes by now: they reach the client, whatever becomes of this process.
    if (marker !== '' && chunks.some(chunk => chunk.toString().includes(marker)))
      process.kill(process.pid, 'SIGKILL')
    return result
  }
}

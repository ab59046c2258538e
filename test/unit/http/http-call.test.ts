import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket } from 'node:net'
import { expect, it } from 'vitest'
import { HttpCall } from '../../../shared/http/http-call.js'

it.each([
  ['/a/b?c=1', '/a/b', 'c=1'],
  ['/a?', '/a', ''],
  ['//a', '//a', ''],
  ['http://localhost:4801/a/b?c=1', '/a/b', 'c=1'],
  ['HTTPS://localhost', '/', ''],
  ['http://localhost?c=1', '/', 'c=1'],
  ['*', '*', ''],
])('the target %s is the path %s and the query %j', (target, path, search) => {
  const request = new IncomingMessage(new Socket())
  request.url = target
  const call = new HttpCall(request, new ServerResponse(request))
  expect([call.path, call.search]).toEqual([path, search])
})

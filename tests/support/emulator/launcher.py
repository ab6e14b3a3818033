"""The emulator as a process: `python -m tests.support.emulator.launcher FILE` writes its port.

All sessions share one database instance. The stock server answers HTTP 500 to an unsupported
statement, which the connector retries for half a minute; here it is an error.
"""

import json
import socket
import sys
from pathlib import Path

import fakesnow.server as server
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.emulator import account, patches, statements


async def sign_in(request: Request) -> JSONResponse:
    """The stock answer, if there is the role; the session remembers how it was opened.

    It lacks the master token, without which the connector does not end its sessions.
    """
    role = request.query_params.get("roleName", "PUBLIC").upper()
    if not account.has_role(role):
        return JSONResponse(
            {
                "data": {},
                "code": "390189",
                "message": f"Role '{role}' specified in the connect string is not granted to this"
                " user.",
                "success": False,
            }
        )
    response = await server.login_request(request)
    asked = json.loads(patches.unzipped(request, await request.body()))["data"]
    answer = json.loads(bytes(response.body))
    patches.sign_in(server.sessions[answer["data"]["token"]], asked, request.query_params)
    answer["data"]["masterToken"] = answer["data"]["token"]
    return JSONResponse(answer)


async def query(request: Request) -> Response:
    """The answer of a statement, or where to ask for it while it runs."""
    asked = json.loads(patches.unzipped(request, await request.body()))
    session = server.to_conn(server.to_token(request))
    return await statements.start(
        request.query_params["requestId"], session, asked["sqlText"], lambda: carry_out(request)
    )


async def carry_out(request: Request) -> Response:
    """The stock answer, or why there is none."""
    response = await server.query_request(request)
    if response.status_code != 500:
        return response
    said = json.loads(bytes(response.body))["message"]
    return JSONResponse(
        {
            "data": {"errorCode": patches.UNSUPPORTED, "sqlState": "0A000"},
            "code": f"{patches.UNSUPPORTED:06d}",
            "message": f"The emulator cannot do this: {said}",
            "success": False,
        }
    )


async def abort(request: Request) -> Response:
    return await statements.abort(patches.unzipped(request, await request.body()))


async def session(request: Request) -> JSONResponse:
    """The stock answer; the temporary tables of a session end with it."""
    if request.query_params.get("delete"):
        patches.end(server.sessions[server.to_token(request)])
    return await server.session(request)


def main(port_file: Path) -> None:
    patches.apply()
    ours = {
        "/session/v1/login-request": sign_in,
        "/session": session,
        "/queries/v1/query-request": query,
        "/queries/v1/abort-request": abort,
    }
    routes = [
        Route(route.path, ours.get(route.path, route.endpoint), methods=list(route.methods or ()))
        for route in server.routes
    ]
    routes.append(Route("/queries/{request_id}/result", statements.result))
    listener = socket.create_server(("127.0.0.1", 0))
    partial = port_file.with_suffix(".part")
    partial.write_text(str(listener.getsockname()[1]))
    partial.replace(port_file)
    config = uvicorn.Config(Starlette(routes=routes), log_level="error")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Results at an OPC UA server, modelled on OPC 40100-1 (Machine Vision).

Namespace `urn:inspector:line`; the node ids are texts, such as `ns=2;s=Result.Verdict`.

    Objects / VisionSystem               Station, Ready, Trigger(JobId) → Taken, TriggerJobId, TriggersTaken
      VisionStateMachine                 CurrentState: Operational; AutomaticModeStateMachine / CurrentState: ContinuousExecution
      ResultManagement                   AcknowledgeResults, GetResults, Acknowledged
        Results / Result                 the result that is shown: see `FIELDS`; Counter is written last

Every result is also an event of VisionSystem, of the type `ResultReadyEventType` with all of `FIELDS`: who subscribes to it gets each
one in order, also when several come at once. `Counter` rises by one with every result of the station, so that a gap shows; who was
away asks for what it missed with `GetResults(After, Most)`: the results above a counter (the oldest `Most`, at most 100) as JSON texts
(`output.message` with `counter`). Where acknowledgement is asked for, the next result comes once the client has written the Counter to
`Acknowledged`, or called `AcknowledgeResults` with the ResultId; until then it is shown again every few seconds.

`Trigger(JobId)` has the station's camera take a picture, if it takes any by trigger, and says whether it did; the result bears the id as
its JobId. A client without methods writes the id to `TriggerJobId`: each writing takes a picture, also of the same text, and
`TriggersTaken` then rises by one.

Of OPC 40100-1 there are: the vision system with its state machine's two states of a running station, result management with
results, their ids and meta data (JobId, PartId, ProductId, ResultState, IsPartial, IsSimulated, CreationTime …), ResultReadyEvent and
AcknowledgeResults. There are not: its namespace and companion types (the nodes only bear its names), recipes and configurations as
managed objects, starting jobs and changing states by OPC UA, GetResultById and GetResultListFiltered, results as files, conditions.
"""

import json
import logging
from collections.abc import Mapping
from typing import Any

from inspector import paths
from inspector.exports.files import json_values
from inspector.records.line.arrivals import ArrivalRow, list_arrivals
from inspector.records.line.deliveries import nth_arrival
from inspector.records.line.stations import Value
from inspector.stations.fields import Field
from inspector.stations.output import message
from inspector.stations.outputs.link import Link, OutputInfo
from inspector.stations.outputs.opcua_clients import Clients, exposed, own_certificate
from inspector.stations.outputs.serving import CODES, Server, server_fields
from inspector.stations.source import job_name

NAMESPACE = "urn:inspector:line"
MOST = 100
"""Results that `GetResults` gives at a time."""

FIELDS = {
    "ResultId": "String",  # the id of the result in the station
    "JobId": "String",  # as whoever triggered it named it, else the run
    "PartId": "String",  # the image's name
    "ProductId": "String",  # the class
    "Order": "String",
    "InternalConfigurationId": "String",  # the number of the detector
    "ResultState": "Int32",  # 1 completed, 4 failed
    "IsPartial": "Boolean",
    "IsSimulated": "Boolean",
    "CreationTime": "DateTime",  # when the image came, UTC
    "ProcessingSeconds": "Double",
    "Verdict": "String",  # ok, ng, review, other (not this product), failed
    "VerdictCode": "Int32",  # 1 OK, 2 NG, 3 review, 4 failed, 5 other
    "Score": "Double",  # NaN where there is none
    "NgFrom": "Double",  # NaN where there is none
    "Error": "String",
    "Counter": "UInt32",
}
"""What is told of a result, with its OPC UA type."""


def fields_of(arrival: ArrivalRow, count: int) -> dict[str, Any]:
    """The values of `FIELDS`."""
    told = message(arrival)
    nan = float("nan")
    return {
        "ResultId": str(arrival.id),
        "JobId": arrival.job or str(arrival.run_id),
        "PartId": arrival.name,
        "ProductId": arrival.class_name,
        "Order": arrival.lot,
        "InternalConfigurationId": str(arrival.detector_id),
        "ResultState": 4 if arrival.said is None else 1,
        "IsPartial": False,
        "IsSimulated": False,
        "CreationTime": arrival.arrived,
        "ProcessingSeconds": arrival.took,
        "Verdict": told["verdict"],
        "VerdictCode": CODES[arrival.said],
        "Score": nan if arrival.image_score is None else arrival.image_score,
        "NgFrom": nan if told["threshold"] is None else told["threshold"],
        "Error": arrival.error,
        "Counter": count & 0xFFFFFFFF,
    }


class OpcUa(Server):
    """See the module."""

    def __init__(self, values: Mapping[str, Value], link: Link) -> None:
        self._values = values
        self._server: Any = None
        self._nodes: dict[str, Any] = {}
        self._event: Any = None
        self._acknowledged = ""  # the id that was
        self._triggers = 0
        super().__init__(values, link, "OPC UA")

    async def start(self) -> None:
        """See `Server`."""
        from asyncua import Server as Asyncua
        from asyncua import ua
        from asyncua.common.callback import CallbackType

        logging.getLogger("asyncua").setLevel(logging.ERROR)  # else every client that comes and goes
        self._server = server = Asyncua(user_manager=Clients(self._values))
        await server.init()
        server.set_endpoint(f"opc.tcp://{self._host}:{self._port}/inspector")
        server.set_server_name("Inspector")
        await server.set_application_uri(NAMESPACE)
        server.set_identity_tokens(
            [ua.UserNameIdentityToken if self._values["user"] else ua.AnonymousIdentityToken]
        )
        policy = ua.SecurityPolicyType.NoSecurity
        if self._values["encrypted"]:
            policy = ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt
            key, certificate = await own_certificate(paths.config_dir() / "opcua", NAMESPACE)
            await server.load_certificate(certificate)
            await server.load_private_key(key)
        server.set_security_policy([policy])
        await self._lay_out(await server.register_namespace(NAMESPACE))
        server.subscribe_server_callback(CallbackType.PostWrite, self._written)
        await server.start()

    async def show(self, arrival: ArrivalRow, count: int) -> None:
        """See `Server`."""
        from asyncua import ua

        values = fields_of(arrival, count)
        for name, value in values.items():
            kind = ua.VariantType[FIELDS[name]]
            await self._nodes[name].write_value(ua.DataValue(ua.Variant(value, kind)))
            setattr(self._event.event, name, value)
        await self._event.trigger(message=f"{values['Verdict']}: {arrival.name}")

    async def acknowledged(self, count: int) -> bool:
        """See `Server`."""
        if self._acknowledged == await self._nodes["ResultId"].read_value():
            return True
        return bool(await self._nodes["Acknowledged"].read_value() == count & 0xFFFFFFFF)

    async def stop(self) -> None:
        """See `Server`."""
        if self._server is None:
            return
        clock = getattr(self._server.iserver, "time_task", None)
        if clock is not None:  # asyncua would wait for its next second
            self._server.iserver.time_task = None
            clock.cancel()
        await self._server.stop()

    async def _lay_out(self, space: int) -> None:
        """All nodes, in the namespace with this number."""
        from asyncua import ua
        from asyncua.common.methods import uamethod

        def called(name: str) -> tuple[ua.NodeId, str]:
            return ua.NodeId(name, space), f"{space}:{name.rsplit('.', 1)[-1]}"

        objects = self._server.nodes.objects
        system = await objects.add_object(*called("VisionSystem"))
        await system.add_property(*called("Station"), self._link.station.name)
        await system.add_variable(*called("Ready"), True)
        await system.add_method(
            *called("Trigger"),
            uamethod(self._trigger),
            [_argument("JobId", "String")],
            [_argument("Taken", "Boolean")],
        )
        self._nodes["TriggerJobId"] = await system.add_variable(*called("TriggerJobId"), "")
        await self._nodes["TriggerJobId"].set_writable()
        self._nodes["TriggersTaken"] = await system.add_variable(
            *called("TriggersTaken"), 0, ua.VariantType.UInt32
        )
        machine = await system.add_object(*called("VisionStateMachine"))
        await machine.add_variable(*called("VisionStateMachine.CurrentState"), "Operational")
        automatic = await machine.add_object(*called("AutomaticModeStateMachine"))
        await automatic.add_variable(*called("AutomaticModeStateMachine.CurrentState"), "ContinuousExecution")
        management = await system.add_object(*called("ResultManagement"))
        results = await management.add_folder(*called("Results"))
        result = await results.add_object(*called("Result"))
        empty = {
            "String": "",
            "Boolean": False,
            "DateTime": ua.get_win_epoch(),
            "Double": float("nan"),
        }
        for name, kind in FIELDS.items():
            self._nodes[name] = await result.add_variable(
                *called(f"Result.{name}"), empty.get(kind, 0), ua.VariantType[kind]
            )
        self._nodes["Acknowledged"] = await management.add_variable(
            *called("Acknowledged"), 0, ua.VariantType.UInt32
        )
        await self._nodes["Acknowledged"].set_writable()
        await management.add_method(
            *called("AcknowledgeResults"),
            uamethod(self._acknowledge),
            [_argument("ResultIds", "String", several=True)],
            [_argument("Error", "Int32")],
        )
        await management.add_method(
            *called("GetResults"),
            uamethod(self._get_results),
            [_argument("After", "UInt32"), _argument("Most", "UInt32")],
            [_argument("Results", "String", several=True)],
        )
        kind = await self._server.create_custom_event_type(
            space,
            "ResultReadyEventType",
            ua.ObjectIds.BaseEventType,
            [(name, ua.VariantType[kind]) for name, kind in FIELDS.items()],
        )
        self._event = await self._server.get_event_generator(kind, system)
        self._event.event.Severity = 500

    async def _trigger(self, _parent: object, job: str | None) -> bool:
        from asyncua import ua

        if not self._link.trigger(job_name(job or "")):
            return False
        self._triggers += 1
        count = ua.Variant(self._triggers & 0xFFFFFFFF, ua.VariantType.UInt32)
        await self._nodes["TriggersTaken"].write_value(ua.DataValue(count))
        return True

    async def _written(self, event: Any, _dispatcher: object) -> None:
        """A client wrote; the server's own writing of results comes by another way."""
        if not event.is_external:
            return
        for one, answer in zip(event.request_params.NodesToWrite, event.response_params, strict=True):
            if one.NodeId == self._nodes["TriggerJobId"].nodeid and answer.is_good():
                job = one.Value.Value.Value
                await self._trigger(None, job if isinstance(job, str) else "")

    async def _acknowledge(self, _parent: object, ids: list[str] | None) -> int:
        shown = await self._nodes["ResultId"].read_value()
        if shown and shown in (ids or ()):
            self._acknowledged = shown
        return 0

    async def _get_results(self, _parent: object, after: int, most: int) -> Any:
        """Straight from the project, where every result stays."""
        from asyncua import ua

        project, station = self._link.project, self._link.station.id
        self._link.check()
        last = nth_arrival(project, station, after)
        rows = list_arrivals(project, station, after=last, limit=max(1, min(MOST, most or MOST)))
        texts = [
            json.dumps(json_values(message(row) | {"counter": number}), ensure_ascii=False)
            for number, row in enumerate(rows, after + 1)
        ]
        return ua.Variant(texts, ua.VariantType.String, is_array=True)


def _argument(name: str, kind: str, *, several: bool = False) -> Any:
    from asyncua import ua

    one = ua.Argument()
    one.Name = name
    one.DataType = ua.NodeId(getattr(ua.ObjectIds, kind))
    one.ValueRank = 1 if several else -1
    one.ArrayDimensions = [0] if several else []
    return one


INFO = OutputInfo(
    "opcua",
    "OPC UA",
    "A server with every result as event and values, modelled on OPC 40100-1.",
    (
        *server_fields(4840),
        Field(
            "encrypted",
            "Encrypted",
            "flag",
            False,
            "Signed and encrypted (Basic256Sha256), with a certificate of this computer.",
        ),
        Field(
            "trusted",
            "Certificates of clients",
            "file",
            "",
            "PEM or DER file with the certificates of those who may connect, where it is encrypted; empty: any certificate does.",
        ),
        Field("user", "User", "text", "", "Who connects must give it; empty: anybody."),
        Field("password", "Password", "secret", "", "Can be read in the network unless it is encrypted."),
    ),
    OpcUa,
    extra="line",
    module="asyncua",
    exposed=exposed,
)

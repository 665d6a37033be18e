""" Contains all the data models used in inputs/outputs """

from .accepted import Accepted
from .accepted_response import AcceptedResponse
from .account_deleted import AccountDeleted
from .account_deleted_response import AccountDeletedResponse
from .account_deletion import AccountDeletion
from .action_done import ActionDone
from .action_done_response import ActionDoneResponse
from .activity import Activity
from .activity_activity_type import ActivityActivityType
from .activity_details import ActivityDetails
from .activity_page import ActivityPage
from .alarm import Alarm
from .alarm_state import AlarmState
from .alarms import Alarms
from .alarms_response import AlarmsResponse
from .audit_entry import AuditEntry
from .audit_entry_action import AuditEntryAction
from .audit_entry_changes import AuditEntryChanges
from .audit_entry_page import AuditEntryPage
from .audit_event import AuditEvent
from .audit_event_event_type import AuditEventEventType
from .audit_event_payload import AuditEventPayload
from .available_badge import AvailableBadge
from .badge import Badge
from .badge_change import BadgeChange
from .badge_change_kind import BadgeChangeKind
from .badge_list_response import BadgeListResponse
from .ban_lift import BanLift
from .cache_figures import CacheFigures
from .changes import Changes
from .check import Check
from .check_status import CheckStatus
from .circuit import Circuit
from .circuit_change import CircuitChange
from .circuit_change_state import CircuitChangeState
from .circuit_state import CircuitState
from .circuits import Circuits
from .circuits_response import CircuitsResponse
from .complete_event import CompleteEvent
from .complete_event_event_type import CompleteEventEventType
from .complete_payload import CompletePayload
from .complete_session import CompleteSession
from .create_space import CreateSpace
from .create_space_visibility import CreateSpaceVisibility
from .dependencies import Dependencies
from .dependencies_checks import DependenciesChecks
from .dependencies_response import DependenciesResponse
from .dependencies_status import DependenciesStatus
from .detailed import Detailed
from .detailed_checks import DetailedChecks
from .detailed_response import DetailedResponse
from .detailed_status import DetailedStatus
from .earned_badge import EarnedBadge
from .email_change import EmailChange
from .email_confirmation import EmailConfirmation
from .email_confirmed import EmailConfirmed
from .email_confirmed_response import EmailConfirmedResponse
from .email_only import EmailOnly
from .empty_body import EmptyBody
from .endpoint import Endpoint
from .environment import Environment
from .environments import Environments
from .environments_response import EnvironmentsResponse
from .error_details import ErrorDetails
from .errors import Errors
from .errors_errors_by_type import ErrorsErrorsByType
from .errors_response import ErrorsResponse
from .event_outcome import EventOutcome
from .event_outcome_status import EventOutcomeStatus
from .exported_row import ExportedRow
from .exported_row_page import ExportedRowPage
from .exported_row_row import ExportedRowRow
from .health import Health
from .health_response import HealthResponse
from .health_service import HealthService
from .health_status import HealthStatus
from .heartbeat import Heartbeat
from .heartbeat_counted import HeartbeatCounted
from .heartbeat_counted_response import HeartbeatCountedResponse
from .heartbeat_counted_status import HeartbeatCountedStatus
from .join_by_code import JoinByCode
from .join_space import JoinSpace
from .leaderboard import Leaderboard
from .leaderboard_entry import LeaderboardEntry
from .leaderboard_page import LeaderboardPage
from .ledger_entry import LedgerEntry
from .ledger_entry_page import LedgerEntryPage
from .list_sessions_status import ListSessionsStatus
from .liveness import Liveness
from .liveness_response import LivenessResponse
from .liveness_status import LivenessStatus
from .logged_out import LoggedOut
from .logged_out_response import LoggedOutResponse
from .login import Login
from .logout import Logout
from .logout_scope import LogoutScope
from .mark import Mark
from .mark_event import MarkEvent
from .mark_event_event_payload import MarkEventEventPayload
from .mark_event_event_type import MarkEventEventType
from .mark_kind import MarkKind
from .member import Member
from .member_list_response import MemberListResponse
from .member_role import MemberRole
from .membership import Membership
from .membership_change import MembershipChange
from .membership_change_kind import MembershipChangeKind
from .membership_response import MembershipResponse
from .membership_role import MembershipRole
from .metrics import Metrics
from .metrics_response import MetricsResponse
from .minute import Minute
from .operator_action import OperatorAction
from .own_membership import OwnMembership
from .own_membership_response import OwnMembershipResponse
from .own_membership_role_type_0 import OwnMembershipRoleType0
from .own_place import OwnPlace
from .own_profile import OwnProfile
from .own_profile_response import OwnProfileResponse
from .own_space import OwnSpace
from .own_space_page import OwnSpacePage
from .own_space_role_type_0 import OwnSpaceRoleType0
from .own_space_visibility import OwnSpaceVisibility
from .password_change import PasswordChange
from .password_changed import PasswordChanged
from .password_changed_response import PasswordChangedResponse
from .password_reset import PasswordReset
from .period import Period
from .pool_figures import PoolFigures
from .problem_details import ProblemDetails
from .processor import Processor
from .profile_change import ProfileChange
from .profile_change_kind import ProfileChangeKind
from .profile_changes import ProfileChanges
from .profile_response import ProfileResponse
from .public_profile import PublicProfile
from .public_profile_page import PublicProfilePage
from .readiness import Readiness
from .readiness_response import ReadinessResponse
from .readiness_status import ReadinessStatus
from .refresh import Refresh
from .registered import Registered
from .registered_response import RegisteredResponse
from .registration import Registration
from .rejected_event import RejectedEvent
from .rejected_event_event_payload import RejectedEventEventPayload
from .rejected_event_page import RejectedEventPage
from .rejected_event_status import RejectedEventStatus
from .removed import Removed
from .removed_response import RemovedResponse
from .renewed_code import RenewedCode
from .renewed_code_response import RenewedCodeResponse
from .retried_event import RetriedEvent
from .retried_event_event_payload import RetriedEventEventPayload
from .retried_event_response import RetriedEventResponse
from .retried_event_status import RetriedEventStatus
from .role_change import RoleChange
from .role_change_role import RoleChangeRole
from .seen_error import SeenError
from .session import Session
from .session_abandoned import SessionAbandoned
from .session_abandoned_response import SessionAbandonedResponse
from .session_abandoned_status import SessionAbandonedStatus
from .session_change import SessionChange
from .session_change_kind import SessionChangeKind
from .session_completed import SessionCompleted
from .session_completed_response import SessionCompletedResponse
from .session_completed_status import SessionCompletedStatus
from .session_completed_xp_breakdown import SessionCompletedXpBreakdown
from .session_event import SessionEvent
from .session_event_page import SessionEventPage
from .session_event_payload import SessionEventPayload
from .session_event_response import SessionEventResponse
from .session_event_source import SessionEventSource
from .session_page import SessionPage
from .session_response import SessionResponse
from .session_started import SessionStarted
from .session_started_response import SessionStartedResponse
from .session_started_status import SessionStartedStatus
from .session_status import SessionStatus
from .sign_in import SignIn
from .sign_in_ended import SignInEnded
from .sign_in_ended_response import SignInEndedResponse
from .sign_in_list_response import SignInListResponse
from .slow_request import SlowRequest
from .slow_requests import SlowRequests
from .slow_requests_response import SlowRequestsResponse
from .space import Space
from .space_changes import SpaceChanges
from .space_changes_visibility import SpaceChangesVisibility
from .space_deleted import SpaceDeleted
from .space_deleted_response import SpaceDeletedResponse
from .space_page import SpacePage
from .space_response import SpaceResponse
from .space_role_type_0 import SpaceRoleType0
from .space_visibility import SpaceVisibility
from .start_event import StartEvent
from .start_event_event_type import StartEventEventType
from .start_payload import StartPayload
from .start_session import StartSession
from .streaks import Streaks
from .streaks_response import StreaksResponse
from .switches_change import SwitchesChange
from .switches_change_suspicion_mode_type_0 import SwitchesChangeSuspicionModeType0
from .switches_in_effect import SwitchesInEffect
from .switches_in_effect_response import SwitchesInEffectResponse
from .switches_in_effect_suspicion_mode import SwitchesInEffectSuspicionMode
from .sync_batch import SyncBatch
from .sync_result import SyncResult
from .sync_result_response import SyncResultResponse
from .sync_status import SyncStatus
from .sync_status_response import SyncStatusResponse
from .system import System
from .taken_back import TakenBack
from .taken_back_response import TakenBackResponse
from .tokens import Tokens
from .tokens_response import TokensResponse
from .usage import Usage
from .user_badges import UserBadges
from .user_badges_response import UserBadgesResponse
from .validation_detail import ValidationDetail
from .xp_change import XpChange
from .xp_change_kind import XpChangeKind
from .xp_revocation import XpRevocation
from .xp_summary import XpSummary
from .xp_summary_response import XpSummaryResponse
from .xp_summary_tier import XpSummaryTier
from .xp_summary_xp_by_source import XpSummaryXpBySource
from .xp_total import XpTotal

__all__ = (
    "Accepted",
    "AcceptedResponse",
    "AccountDeleted",
    "AccountDeletedResponse",
    "AccountDeletion",
    "ActionDone",
    "ActionDoneResponse",
    "Activity",
    "ActivityActivityType",
    "ActivityDetails",
    "ActivityPage",
    "Alarm",
    "Alarms",
    "AlarmsResponse",
    "AlarmState",
    "AuditEntry",
    "AuditEntryAction",
    "AuditEntryChanges",
    "AuditEntryPage",
    "AuditEvent",
    "AuditEventEventType",
    "AuditEventPayload",
    "AvailableBadge",
    "Badge",
    "BadgeChange",
    "BadgeChangeKind",
    "BadgeListResponse",
    "BanLift",
    "CacheFigures",
    "Changes",
    "Check",
    "CheckStatus",
    "Circuit",
    "CircuitChange",
    "CircuitChangeState",
    "Circuits",
    "CircuitsResponse",
    "CircuitState",
    "CompleteEvent",
    "CompleteEventEventType",
    "CompletePayload",
    "CompleteSession",
    "CreateSpace",
    "CreateSpaceVisibility",
    "Dependencies",
    "DependenciesChecks",
    "DependenciesResponse",
    "DependenciesStatus",
    "Detailed",
    "DetailedChecks",
    "DetailedResponse",
    "DetailedStatus",
    "EarnedBadge",
    "EmailChange",
    "EmailConfirmation",
    "EmailConfirmed",
    "EmailConfirmedResponse",
    "EmailOnly",
    "EmptyBody",
    "Endpoint",
    "Environment",
    "Environments",
    "EnvironmentsResponse",
    "ErrorDetails",
    "Errors",
    "ErrorsErrorsByType",
    "ErrorsResponse",
    "EventOutcome",
    "EventOutcomeStatus",
    "ExportedRow",
    "ExportedRowPage",
    "ExportedRowRow",
    "Health",
    "HealthResponse",
    "HealthService",
    "HealthStatus",
    "Heartbeat",
    "HeartbeatCounted",
    "HeartbeatCountedResponse",
    "HeartbeatCountedStatus",
    "JoinByCode",
    "JoinSpace",
    "Leaderboard",
    "LeaderboardEntry",
    "LeaderboardPage",
    "LedgerEntry",
    "LedgerEntryPage",
    "ListSessionsStatus",
    "Liveness",
    "LivenessResponse",
    "LivenessStatus",
    "LoggedOut",
    "LoggedOutResponse",
    "Login",
    "Logout",
    "LogoutScope",
    "Mark",
    "MarkEvent",
    "MarkEventEventPayload",
    "MarkEventEventType",
    "MarkKind",
    "Member",
    "MemberListResponse",
    "MemberRole",
    "Membership",
    "MembershipChange",
    "MembershipChangeKind",
    "MembershipResponse",
    "MembershipRole",
    "Metrics",
    "MetricsResponse",
    "Minute",
    "OperatorAction",
    "OwnMembership",
    "OwnMembershipResponse",
    "OwnMembershipRoleType0",
    "OwnPlace",
    "OwnProfile",
    "OwnProfileResponse",
    "OwnSpace",
    "OwnSpacePage",
    "OwnSpaceRoleType0",
    "OwnSpaceVisibility",
    "PasswordChange",
    "PasswordChanged",
    "PasswordChangedResponse",
    "PasswordReset",
    "Period",
    "PoolFigures",
    "ProblemDetails",
    "Processor",
    "ProfileChange",
    "ProfileChangeKind",
    "ProfileChanges",
    "ProfileResponse",
    "PublicProfile",
    "PublicProfilePage",
    "Readiness",
    "ReadinessResponse",
    "ReadinessStatus",
    "Refresh",
    "Registered",
    "RegisteredResponse",
    "Registration",
    "RejectedEvent",
    "RejectedEventEventPayload",
    "RejectedEventPage",
    "RejectedEventStatus",
    "Removed",
    "RemovedResponse",
    "RenewedCode",
    "RenewedCodeResponse",
    "RetriedEvent",
    "RetriedEventEventPayload",
    "RetriedEventResponse",
    "RetriedEventStatus",
    "RoleChange",
    "RoleChangeRole",
    "SeenError",
    "Session",
    "SessionAbandoned",
    "SessionAbandonedResponse",
    "SessionAbandonedStatus",
    "SessionChange",
    "SessionChangeKind",
    "SessionCompleted",
    "SessionCompletedResponse",
    "SessionCompletedStatus",
    "SessionCompletedXpBreakdown",
    "SessionEvent",
    "SessionEventPage",
    "SessionEventPayload",
    "SessionEventResponse",
    "SessionEventSource",
    "SessionPage",
    "SessionResponse",
    "SessionStarted",
    "SessionStartedResponse",
    "SessionStartedStatus",
    "SessionStatus",
    "SignIn",
    "SignInEnded",
    "SignInEndedResponse",
    "SignInListResponse",
    "SlowRequest",
    "SlowRequests",
    "SlowRequestsResponse",
    "Space",
    "SpaceChanges",
    "SpaceChangesVisibility",
    "SpaceDeleted",
    "SpaceDeletedResponse",
    "SpacePage",
    "SpaceResponse",
    "SpaceRoleType0",
    "SpaceVisibility",
    "StartEvent",
    "StartEventEventType",
    "StartPayload",
    "StartSession",
    "Streaks",
    "StreaksResponse",
    "SwitchesChange",
    "SwitchesChangeSuspicionModeType0",
    "SwitchesInEffect",
    "SwitchesInEffectResponse",
    "SwitchesInEffectSuspicionMode",
    "SyncBatch",
    "SyncResult",
    "SyncResultResponse",
    "SyncStatus",
    "SyncStatusResponse",
    "System",
    "TakenBack",
    "TakenBackResponse",
    "Tokens",
    "TokensResponse",
    "Usage",
    "UserBadges",
    "UserBadgesResponse",
    "ValidationDetail",
    "XpChange",
    "XpChangeKind",
    "XpRevocation",
    "XpSummary",
    "XpSummaryResponse",
    "XpSummaryTier",
    "XpSummaryXpBySource",
    "XpTotal",
)

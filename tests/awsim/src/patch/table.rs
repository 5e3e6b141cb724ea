//! The documented patch operations, as data: what is not here is refused.
//!
//! AWS's own table, and what was recorded besides: list and map forms apply to members, a stage
//! takes `copy` for `/deploymentId` and `/variables`, `remove` for one variable, and
//! `remove /{resourcePath}/{httpMethod}` for the settings of one method or of `*/*`.

use super::Ops;
use crate::router::Operation;

/// What stands behind the last name of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing: the path names one value.
    Scalar,
    /// A key, always: `/requestParameters/method.request.header.X`.
    Map,
    /// A key, or nothing for the whole map.
    MapOrWhole,
    /// A member of a list, always: `/binaryMediaTypes/image~1png`.
    Member,
    /// A member of a list, or nothing when the member is the value.
    Values,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) operation: Operation,
    pub(crate) path: &'static str,
    pub(crate) kind: Kind,
    pub(crate) ops: Ops,
}

const fn row(operation: Operation, path: &'static str, kind: Kind, ops: Ops) -> Row {
    Row {
        operation,
        path,
        kind,
        ops,
    }
}

const A: Ops = Ops::ADD;
const R: Ops = Ops::REPLACE;
const X: Ops = Ops::REMOVE;
const C: Ops = Ops::COPY;
const NONE: Ops = Ops::NONE;

/// Rows of one operation stand in the order in which they are tried.
#[rustfmt::skip]
pub(crate) const TABLE: &[Row] = &[
    row(Operation::UpdateAccount, "/cloudwatchRoleArn", Kind::Scalar, R),
    row(Operation::UpdateAccount, "/features", Kind::Values, A.and(X)),
    row(Operation::UpdateAuthorizer, "/authorizerUri", Kind::Scalar, R),
    row(Operation::UpdateAuthorizer, "/authorizerCredentials", Kind::Scalar, R),
    row(Operation::UpdateAuthorizer, "/authorizerResultTtlInSeconds", Kind::Scalar, R),
    row(Operation::UpdateAuthorizer, "/authType", Kind::Scalar, R),
    row(Operation::UpdateAuthorizer, "/identitySource", Kind::Scalar, A.and(R).and(X)),
    row(Operation::UpdateAuthorizer, "/identityValidationExpression", Kind::Scalar, R),
    row(Operation::UpdateAuthorizer, "/name", Kind::Scalar, R),
    row(Operation::UpdateAuthorizer, "/providerARNs", Kind::Values, A.and(X)),
    row(Operation::UpdateAuthorizer, "/type", Kind::Scalar, R),
    row(Operation::UpdateBasePathMapping, "/basepath", Kind::Scalar, R),
    row(Operation::UpdateBasePathMapping, "/restapiId", Kind::Scalar, R),
    row(Operation::UpdateBasePathMapping, "/stage", Kind::Scalar, R),
    row(Operation::UpdateClientCertificate, "/description", Kind::Scalar, R),
    row(Operation::UpdateDeployment, "/description", Kind::Scalar, R),
    row(Operation::UpdateDomainName, "/certificateName", Kind::Scalar, A.and(R).and(X)),
    row(Operation::UpdateDomainName, "/certificateArn", Kind::Scalar, A.and(R).and(X)),
    row(Operation::UpdateDomainName, "/endpointConfiguration/types", Kind::Values, A.and(X)),
    row(Operation::UpdateDomainName, "/endpointConfiguration/ipAddressType", Kind::Scalar, R),
    row(Operation::UpdateDomainName, "/endpointAccessMode", Kind::Scalar, R),
    row(Operation::UpdateDomainName, "/managementPolicy", Kind::Scalar, R),
    row(Operation::UpdateDomainName, "/mutualTlsAuthentication/truststoreUri", Kind::Scalar, A.and(R).and(X)),
    row(Operation::UpdateDomainName, "/mutualTlsAuthentication/truststoreVersion", Kind::Scalar, A.and(R).and(X)),
    row(Operation::UpdateDomainName, "/policy", Kind::Scalar, R),
    row(Operation::UpdateDomainName, "/regionalCertificateName", Kind::Scalar, A.and(R).and(X)),
    row(Operation::UpdateDomainName, "/regionalCertificateArn", Kind::Scalar, A.and(R).and(X)),
    row(Operation::UpdateDomainName, "/routingMode", Kind::Scalar, R),
    row(Operation::UpdateDomainName, "/securityPolicy", Kind::Scalar, R),
    row(Operation::UpdateDomainName, "/ownershipVerificationCertificateArn", Kind::Scalar, A.and(R).and(X)),
    row(Operation::UpdateGatewayResponse, "/statusCode", Kind::Scalar, R),
    row(Operation::UpdateGatewayResponse, "/responseParameters", Kind::Map, A.and(R).and(X)),
    row(Operation::UpdateGatewayResponse, "/responseTemplates", Kind::Map, A.and(R).and(X)),
    row(Operation::UpdateIntegration, "/cacheKeyParameters", Kind::Member, A.and(R).and(X)),
    row(Operation::UpdateIntegration, "/cacheNamespace", Kind::Scalar, R),
    row(Operation::UpdateIntegration, "/connectionId", Kind::Scalar, R),
    row(Operation::UpdateIntegration, "/connectionType", Kind::Scalar, R),
    row(Operation::UpdateIntegration, "/contentHandling", Kind::Scalar, R),
    row(Operation::UpdateIntegration, "/httpMethod", Kind::Scalar, R),
    row(Operation::UpdateIntegration, "/integrationTarget", Kind::Scalar, R),
    row(Operation::UpdateIntegration, "/passthroughBehavior", Kind::Scalar, R),
    row(Operation::UpdateIntegration, "/requestParameters", Kind::Map, A.and(R).and(X)),
    row(Operation::UpdateIntegration, "/requestTemplates", Kind::Map, A.and(R).and(X)),
    row(Operation::UpdateIntegration, "/responseTransferMode", Kind::Scalar, R),
    row(Operation::UpdateIntegration, "/timeoutInMillis", Kind::Scalar, R),
    row(Operation::UpdateIntegration, "/tlsConfig/insecureSkipVerification", Kind::Scalar, R),
    row(Operation::UpdateIntegration, "/type", Kind::Scalar, NONE),
    row(Operation::UpdateIntegration, "/uri", Kind::Scalar, R),
    row(Operation::UpdateIntegrationResponse, "/contentHandling", Kind::Scalar, R),
    row(Operation::UpdateIntegrationResponse, "/responseParameters", Kind::Map, A.and(R).and(X)),
    row(Operation::UpdateIntegrationResponse, "/responseTemplates", Kind::Map, A.and(R).and(X)),
    row(Operation::UpdateIntegrationResponse, "/selectionPattern", Kind::Scalar, R),
    row(Operation::UpdateMethod, "/authorizationScopes", Kind::Values, A.and(X)),
    row(Operation::UpdateMethod, "/authorizationType", Kind::Scalar, R),
    row(Operation::UpdateMethod, "/authorizerId", Kind::Scalar, R),
    row(Operation::UpdateMethod, "/apiKeyRequired", Kind::Scalar, R),
    row(Operation::UpdateMethod, "/operationName", Kind::Scalar, R),
    row(Operation::UpdateMethod, "/requestParameters", Kind::Map, A.and(R).and(X)),
    row(Operation::UpdateMethod, "/requestModels", Kind::Map, A.and(R).and(X)),
    row(Operation::UpdateMethod, "/requestValidatorId", Kind::Scalar, R),
    row(Operation::UpdateMethodResponse, "/responseModels", Kind::Map, A.and(R).and(X)),
    row(Operation::UpdateMethodResponse, "/responseParameters", Kind::Map, A.and(R).and(X)),
    row(Operation::UpdateModel, "/description", Kind::Scalar, R),
    row(Operation::UpdateModel, "/schema", Kind::Scalar, R),
    row(Operation::UpdateRequestValidator, "/name", Kind::Scalar, R),
    row(Operation::UpdateRequestValidator, "/validateRequestBody", Kind::Scalar, R),
    row(Operation::UpdateRequestValidator, "/validateRequestParameters", Kind::Scalar, R),
    row(Operation::UpdateResource, "/parentId", Kind::Scalar, R),
    row(Operation::UpdateResource, "/pathPart", Kind::Scalar, R),
    row(Operation::UpdateRestApi, "/apiKeySource", Kind::Scalar, R),
    row(Operation::UpdateRestApi, "/binaryMediaTypes", Kind::Member, A.and(R).and(X)),
    row(Operation::UpdateRestApi, "/description", Kind::Scalar, A.and(R).and(X)),
    row(Operation::UpdateRestApi, "/disableExecuteApiEndpoint", Kind::Scalar, R),
    row(Operation::UpdateRestApi, "/endpointConfiguration/types/{type}", Kind::Scalar, R),
    row(Operation::UpdateRestApi, "/endpointConfiguration/vpcEndpointIds", Kind::Values, A.and(X)),
    row(Operation::UpdateRestApi, "/endpointConfiguration/ipAddressType", Kind::Scalar, R),
    row(Operation::UpdateRestApi, "/endpointAccessMode", Kind::Scalar, R),
    row(Operation::UpdateRestApi, "/minimumCompressionSize", Kind::Scalar, R),
    row(Operation::UpdateRestApi, "/name", Kind::Scalar, R),
    row(Operation::UpdateRestApi, "/policy", Kind::Scalar, R),
    row(Operation::UpdateRestApi, "/securityPolicy", Kind::Scalar, R),
    row(Operation::UpdateStage, "/accessLogSettings", Kind::Scalar, X),
    row(Operation::UpdateStage, "/accessLogSettings/destinationArn", Kind::Scalar, A.and(R).and(X)),
    row(Operation::UpdateStage, "/accessLogSettings/format", Kind::Scalar, A.and(R).and(X)),
    row(Operation::UpdateStage, "/cacheClusterEnabled", Kind::Scalar, R),
    row(Operation::UpdateStage, "/cacheClusterSize", Kind::Scalar, R),
    row(Operation::UpdateStage, "/canarySettings", Kind::Scalar, X),
    row(Operation::UpdateStage, "/canarySettings/deploymentId", Kind::Scalar, R),
    row(Operation::UpdateStage, "/canarySettings/percentTraffic", Kind::Scalar, R),
    row(Operation::UpdateStage, "/canarySettings/stageVariableOverrides", Kind::MapOrWhole, R),
    row(Operation::UpdateStage, "/canarySettings/useStageCache", Kind::Scalar, R),
    row(Operation::UpdateStage, "/clientCertificateId", Kind::Scalar, R),
    row(Operation::UpdateStage, "/deploymentId", Kind::Scalar, R.and(C)),
    row(Operation::UpdateStage, "/description", Kind::Scalar, R),
    row(Operation::UpdateStage, "/documentationVersion", Kind::Scalar, R),
    row(Operation::UpdateStage, "/methodSettings", Kind::Scalar, R),
    row(Operation::UpdateStage, "/variables", Kind::Scalar, R.and(X).and(C)),
    row(Operation::UpdateStage, "/variables/*", Kind::Scalar, R.and(X)),
    row(Operation::UpdateStage, "/tracingEnabled", Kind::Scalar, R),
    row(Operation::UpdateStage, "/{resourcePath}/{httpMethod}/metrics/enabled", Kind::Scalar, R),
    row(Operation::UpdateStage, "/{resourcePath}/{httpMethod}/logging/dataTrace", Kind::Scalar, R),
    row(Operation::UpdateStage, "/{resourcePath}/{httpMethod}/logging/loglevel", Kind::Scalar, R),
    row(Operation::UpdateStage, "/{resourcePath}/{httpMethod}/throttling/burstLimit", Kind::Scalar, R),
    row(Operation::UpdateStage, "/{resourcePath}/{httpMethod}/throttling/rateLimit", Kind::Scalar, R),
    row(Operation::UpdateStage, "/{resourcePath}/{httpMethod}/caching/enabled", Kind::Scalar, R),
    row(Operation::UpdateStage, "/{resourcePath}/{httpMethod}/caching/dataEncrypted", Kind::Scalar, R),
    row(Operation::UpdateStage, "/{resourcePath}/{httpMethod}/caching/ttlInSeconds", Kind::Scalar, R),
    row(Operation::UpdateStage, "/{resourcePath}/{httpMethod}/caching/requireAuthorizationForCacheControl", Kind::Scalar, R),
    row(Operation::UpdateStage, "/{resourcePath}/{httpMethod}/caching/unauthorizedCacheControlHeaderStrategy", Kind::Scalar, R),
    row(Operation::UpdateVpcLink, "/name", Kind::Scalar, R),
    row(Operation::UpdateVpcLink, "/description", Kind::Scalar, R),
    row(Operation::UpdateStage, "/{resourcePath}/{httpMethod}", Kind::Scalar, X),
];

//! The answer to an export: two small messages, the same for both transports.

use super::inbox::Accepted;

/// `ExportMetricsServiceResponse`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

/// `ExportMetricsPartialSuccess`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_data_points: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

impl From<Accepted> for ExportResponse {
    fn from(accepted: Accepted) -> Self {
        let partial_success = accepted
            .partial()
            .map(|(rejected_data_points, error_message)| PartialSuccess { rejected_data_points, error_message });
        ExportResponse { partial_success }
    }
}

impl ExportResponse {
    /// As OTLP/JSON: 64-bit integers are text.
    pub(super) fn to_json(&self) -> Vec<u8> {
        let json = match &self.partial_success {
            Some(PartialSuccess { rejected_data_points, error_message }) => serde_json::json!({
                "partialSuccess": { "rejectedDataPoints": rejected_data_points.to_string(), "errorMessage": error_message }
            }),
            None => serde_json::json!({}),
        };
        json.to_string().into_bytes()
    }
}

//! The response to an export, `ExportMetricsServiceResponse`, in both encodings.

use super::Encoding;
use prost::Message;

#[derive(Clone, PartialEq, prost::Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected_data_points: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// The response to an accepted export: a full success unless points of it are rejected, for these reasons.
pub fn encode_response(encoding: Encoding, rejected_points: u64, reasons: &str) -> Vec<u8> {
    if rejected_points == 0 {
        return if encoding == Encoding::Json { b"{}".to_vec() } else { Vec::new() };
    }
    let error_message = format!("data points dropped: {reasons}");
    match encoding {
        Encoding::Protobuf => {
            let partial = PartialSuccess { rejected_data_points: rejected_points as i64, error_message };
            ExportResponse { partial_success: Some(partial) }.encode_to_vec()
        }
        Encoding::Json => {
            // 64-bit integers are text.
            let points = rejected_points.to_string();
            serde_json::json!({ "partialSuccess": { "rejectedDataPoints": points, "errorMessage": error_message } })
                .to_string()
                .into_bytes()
        }
    }
}
